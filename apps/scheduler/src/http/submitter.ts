import type { Clock } from '@orchestrator/core';
import { withTimeout } from '@orchestrator/lifecycle';
import { type EnqueueReply, MAX_BATCH, type NewJob, type QueueStore } from '@orchestrator/queue';

import { ProblemError } from './problem.js';

export interface SubmitterParams {
  store: Pick<QueueStore, 'enqueue'>;
  clock: Clock;
  /** A submission that is not confirmed by then is answered 503. Default `SUBMIT_LIMIT_MS`. */
  limitMs?: number;
}

/** Below the three seconds that are promised. */
export const SUBMIT_LIMIT_MS = 2_700;
/** Jobs that may wait behind the call under way, in one pool. */
const MAX_WAITING = 20_000;
/** Bytes of bodies that are not answered yet, in all pools. */
const MAX_BYTES = 256 * 1024 * 1024;

interface Waiting {
  job: NewJob;
  resolve(reply: EnqueueReply): void;
  reject(error: unknown): void;
}

/**
 * Gathers single submissions: the first one of a pool goes at once, those that come while it is under way go together in
 * the next call. Nothing counts as accepted before the store has it.
 */
export class Submitter {
  readonly #params: SubmitterParams;
  readonly #pools = new Map<string, Waiting[]>();
  #bytes = 0;

  constructor(params: SubmitterParams) {
    this.#params = params;
  }

  /**
   * `bytes`: of the body that it came in.
   * @throws {StoreUnavailableError | TimeoutError} when it was not confirmed in time; it may still be written.
   */
  async submit(pool: string, job: NewJob, bytes: number): Promise<EnqueueReply> {
    const { clock, limitMs = SUBMIT_LIMIT_MS } = this.#params;
    const waiting = this.#pools.get(pool);
    if (waiting !== undefined && waiting.length >= MAX_WAITING) {
      throw new ProblemError('overloaded', `${MAX_WAITING} submissions to the pool "${pool}" wait already`);
    }
    if (this.#bytes + bytes > MAX_BYTES) {
      throw new ProblemError('overloaded', `submissions of ${MAX_BYTES / 1024 / 1024} MiB are under way already`);
    }
    this.#bytes += bytes;
    let entry: Waiting | undefined;
    const reply = new Promise<EnqueueReply>((resolve, reject) => {
      entry = { job, resolve, reject };
      if (waiting === undefined) {
        this.#pools.set(pool, []);
        void this.#send(pool, [entry]);
      } else {
        waiting.push(entry);
      }
    });
    return withTimeout(clock, limitMs, 'writing the job', reply).finally(() => {
      this.#bytes -= bytes;
      this.#forget(pool, entry);
    });
  }

  async #send(pool: string, first: Waiting[]): Promise<void> {
    let batch = first;
    while (batch.length > 0) {
      await this.#write(pool, batch);
      batch = this.#pools.get(pool)?.splice(0, MAX_BATCH) ?? [];
    }
    this.#pools.delete(pool);
  }

  async #write(pool: string, batch: readonly Waiting[]): Promise<void> {
    try {
      const replies = await this.#params.store.enqueue(
        pool,
        batch.map((entry) => entry.job),
      );
      const byUlid = new Map(replies.map((reply) => [reply.ulid, reply]));
      for (const entry of batch) {
        const reply = byUlid.get(entry.job.ulid);
        if (reply === undefined) {
          entry.reject(new Error(`the store answered nothing for job ${entry.job.ulid}`));
        } else {
          entry.resolve(reply);
        }
      }
    } catch (error) {
      batch.forEach((entry) => entry.reject(error));
    }
  }

  /** Who has been answered 503 is not written afterwards, if it has not been sent yet. */
  #forget(pool: string, entry: Waiting | undefined): void {
    const waiting = this.#pools.get(pool);
    const index = entry === undefined ? -1 : (waiting?.indexOf(entry) ?? -1);
    if (index >= 0) {
      waiting?.splice(index, 1);
    }
  }
}
