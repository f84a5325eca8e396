import type { Clock, Timer } from '@orchestrator/core';
import { TimeoutError } from '@orchestrator/lifecycle';
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
  readonly pool: string;
  readonly job: NewJob;
  readonly bytes: number;
  readonly untilMs: number;
  resolve(reply: EnqueueReply): void;
  reject(error: unknown): void;
}

/**
 * Gathers single submissions: the first one of a pool goes at once, those that come while it is under way go together in
 * the next call. Nothing counts as accepted before the store has it.
 */
export class Submitter {
  readonly #params: SubmitterParams;
  readonly #limitMs: number;
  readonly #pools = new Map<string, Waiting[]>();
  /** All that are not answered, in the order of coming: so in that of their limits. */
  readonly #open = new Set<Waiting>();
  #bytes = 0;
  #timer: Timer | undefined;

  constructor(params: SubmitterParams) {
    this.#params = params;
    this.#limitMs = params.limitMs ?? SUBMIT_LIMIT_MS;
  }

  /**
   * `bytes`: of the body that it came in.
   * Rejects with {@link StoreUnavailableError} or {@link TimeoutError} when it was not confirmed in time; it may still be
   * written.
   */
  submit(pool: string, job: NewJob, bytes: number): Promise<EnqueueReply> {
    return new Promise((resolve, reject) => {
      const waiting = this.#pools.get(pool);
      this.#requireRoom(pool, waiting, bytes);
      const untilMs = this.#params.clock.monotonicMs() + this.#limitMs;
      const entry: Waiting = { pool, job, bytes, untilMs, resolve, reject };
      this.#bytes += bytes;
      this.#open.add(entry);
      this.#timer ??= this.#params.clock.setTimer(this.#limitMs, () => this.#giveUpLate());
      if (waiting === undefined) {
        this.#pools.set(pool, []);
        void this.#send(pool, [entry]);
      } else {
        waiting.push(entry);
      }
    });
  }

  #requireRoom(pool: string, waiting: readonly Waiting[] | undefined, bytes: number): void {
    if (waiting !== undefined && waiting.length >= MAX_WAITING) {
      throw new ProblemError('overloaded', `${MAX_WAITING} submissions to the pool "${pool}" wait already`);
    }
    if (this.#bytes + bytes > MAX_BYTES) {
      throw new ProblemError('overloaded', `submissions of ${MAX_BYTES / 1024 / 1024} MiB are under way already`);
    }
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
      batch.forEach((entry, i) => {
        const reply = replies[i];
        if (!this.#close(entry)) {
          return;
        }
        if (reply?.ulid === entry.job.ulid) {
          entry.resolve(reply);
        } else {
          entry.reject(new Error(`the store answered nothing for job ${entry.job.ulid}`));
        }
      });
    } catch (error) {
      for (const entry of batch) {
        if (this.#close(entry)) {
          entry.reject(error);
        }
      }
    }
    this.#rest();
  }

  /** False: it was answered before. */
  #close(entry: Waiting): boolean {
    const wasOpen = this.#open.delete(entry);
    if (wasOpen) {
      this.#bytes -= entry.bytes;
    }
    return wasOpen;
  }

  /** Who is answered 503 is not written afterwards, if it has not been sent yet. */
  #giveUpLate(): void {
    this.#timer = undefined;
    const nowMs = this.#params.clock.monotonicMs();
    for (const entry of this.#open) {
      if (entry.untilMs > nowMs) {
        this.#timer = this.#params.clock.setTimer(entry.untilMs - nowMs, () => this.#giveUpLate());
        return;
      }
      this.#close(entry);
      const line = this.#pools.get(entry.pool);
      const index = line?.indexOf(entry) ?? -1;
      if (index >= 0) {
        line?.splice(index, 1);
      }
      entry.reject(new TimeoutError('writing the job', this.#limitMs));
    }
  }

  #rest(): void {
    if (this.#open.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }
}
