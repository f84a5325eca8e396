import { createUlids, systemClock, systemRandom } from '@orchestrator/core';
import {
  type ClaimedJob,
  MAX_BATCH,
  type NewJob,
  queueKeys,
  RedisQueueStore,
  type Settlement,
} from '@orchestrator/queue';
import type { Redis } from 'ioredis';

import { jobData } from '../job-data.js';

export const POOL = 'default';

const SESSION = 'f3a9c7d2e1b84c56';
const WORKER = 'worker-0.example';
const newUlid = createUlids({ clock: systemClock, random: systemRandom });

/** Fills a pool by the product's own store, as a scheduler would after the same submissions, but much faster. */
export class Filler {
  readonly store: RedisQueueStore;
  readonly base = queueKeys().pool(POOL);
  /** All that were ever entered here. */
  entered = 0;

  constructor(private readonly redis: Redis) {
    this.store = new RedisQueueStore({ redis, clock: systemClock, random: systemRandom });
  }

  /** Answers their ULIDs. `from`: number of the first one; `runAtMs`: they wait until then. */
  async add(count: number, { from = 0, runAtMs }: { from?: number; runAtMs?: number } = {}): Promise<string[]> {
    const ulids: string[] = [];
    while (ulids.length < count) {
      const some = Array.from({ length: Math.min(MAX_BATCH, count - ulids.length) }, (_, index) =>
        aJob(from + ulids.length + index, runAtMs),
      );
      await this.store.enqueue(POOL, some);
      ulids.push(...some.map(({ ulid }) => ulid));
    }
    this.entered += count;
    return ulids;
  }

  /** Jobs that have succeeded and are kept. The queue must be empty. */
  async addFinished(count: number): Promise<void> {
    await this.open();
    await this.add(count);
    for (let left = count; left > 0;) {
      left -= await this.claimAndSettle(Math.min(MAX_BATCH, left));
    }
    await this.close();
  }

  async open(): Promise<void> {
    await this.store.reconcile(POOL, { session: SESSION, worker: WORKER, epoch: 1, held: [], last: true });
  }

  /** So that a scheduler does not find the gate of a session that nobody knows. */
  async close(): Promise<void> {
    await this.redis.hdel(`${this.base}gates`, SESSION);
  }

  /** The next ones of the queue, from claim to success. */
  async claimAndSettle(count: number): Promise<number> {
    const want = { session: SESSION, worker: WORKER, epoch: 1, max: count, free: count };
    const { jobs } = await this.store.claim(POOL, [want]);
    const verdicts = await this.store.settle(POOL, jobs.map(succeeded));
    if (jobs.length !== count || verdicts.some((verdict) => verdict !== 'accepted')) {
      throw new Error(`${jobs.length} of ${count} jobs were claimed, and settled as ${[...new Set(verdicts)].join()}`);
    }
    return jobs.length;
  }
}

function aJob(number: number, runAtMs: number | undefined): NewJob {
  const spec = { name: 'bench', handler: 'noop', data: jobData(number) };
  return { ulid: newUlid(), spec, rule: {}, priority: 0, ...(runAtMs === undefined ? {} : { runAtMs }) };
}

function succeeded({ ulid, attemptId, fence, number }: ClaimedJob): Settlement {
  return {
    ulid,
    attemptId,
    fence,
    by: SESSION,
    holder: { session: SESSION, worker: WORKER, number },
    outcome: 'succeeded',
    end: {
      exitCode: null,
      signal: null,
      failure: null,
      output: { stdoutBytes: 0, stderrBytes: 0, truncated: false },
    },
    retryable: true,
    wasFrozen: false,
    output: [],
  };
}
