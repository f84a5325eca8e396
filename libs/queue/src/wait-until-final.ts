import { type Clock, isFinal, type Job, type JobAddress, sleep, toJobId } from '@orchestrator/core';

import { JobNotFoundError, StoreUnavailableError, WaitTimeoutError } from './errors.js';
import type { QueueNews } from './queue-news.js';
import type { QueueStore } from './store.js';

export interface WaitParams {
  store: Pick<QueueStore, 'getJobs'>;
  news: Pick<QueueNews, 'subscribe'>;
  clock: Clock;
  job: JobAddress;
  /** Default: no limit. */
  timeoutMs?: number;
  signal: AbortSignal;
}

/** News only hurry; this finds what was not heard. */
export const SAFETY_POLL_MS = 1_000;

/**
 * Resolves with the job once it is final. A store that cannot be reached is asked again until the time is over.
 * @throws {WaitTimeoutError} {@link JobNotFoundError}, or the signal's reason
 */
export async function waitUntilFinal(params: WaitParams): Promise<Job> {
  const { news, clock, job, timeoutMs = Infinity, signal } = params;
  const deadline = clock.monotonicMs() + timeoutMs;
  let woken = new AbortController();
  const unsubscribe = news.subscribe(job.pool, (events) => {
    if (events.some(({ ulid }) => ulid === job.ulid)) {
      woken.abort();
    }
  });
  try {
    for (;;) {
      signal.throwIfAborted();
      woken = new AbortController();
      const found = await read(params);
      if (found && isFinal(found.state)) {
        return found;
      }
      const left = deadline - clock.monotonicMs();
      if (left <= 0) {
        const id = toJobId(job.pool, job.ulid);
        throw new WaitTimeoutError(`job "${id}" is ${found?.state ?? 'unknown'} after ${timeoutMs} ms, not yet final`);
      }
      await sleep(clock, Math.min(left, SAFETY_POLL_MS), AbortSignal.any([woken.signal, signal]));
    }
  } finally {
    unsubscribe();
  }
}

/** Undefined while the store cannot be reached. */
async function read({ store, job }: WaitParams): Promise<Job | undefined> {
  try {
    const [found] = await store.getJobs(job.pool, [job.ulid]);
    if (!found) {
      throw new JobNotFoundError(`job "${toJobId(job.pool, job.ulid)}" is not there (any more)`);
    }
    return found;
  } catch (error) {
    if (error instanceof StoreUnavailableError) {
      return undefined;
    }
    throw error;
  }
}
