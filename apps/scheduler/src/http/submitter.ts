import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Clock, Timer } from '@orchestrator/core';
import { TimeoutError } from '@orchestrator/lifecycle';
import { type EnqueueReply, MAX_BATCH, type NewJob, type QueueStore } from '@orchestrator/queue';

import { ProblemError } from './problem.js';

export interface SubmitterParams {
  store: Pick<QueueStore, 'enqueue'>;
  clock: Clock;
  /** A submission that is not confirmed by then is answered 503. Default `SUBMIT_LIMIT_MS`. */
  limitMs?: number;
  /** These are on their way to the store. Resolves when what can be started of them at once is on its way to workers. */
  onSent?: (pool: string, jobs: readonly NewJob[]) => Promise<void> | undefined;
}

/** Below the three seconds that are promised. */
export const SUBMIT_LIMIT_MS = 2_700;
/** As many as the store sends. */
const MAX_CALLS = 2;
/** Jobs that are worth a second call beside the one under way. */
const WORTH_A_CALL = 32;
/** So long an answer waits for the start of its job at most: it takes half a millisecond. */
const START_FIRST_MS = 5;
/** Jobs that may wait behind the calls under way, in one pool. */
const MAX_WAITING = 20_000;
/** Bytes of bodies that are not answered yet, in all pools. */
const MAX_BYTES = 256 * 1024 * 1024;

interface Waiting {
  readonly job: NewJob;
  readonly bytes: number;
  readonly untilMs: number;
  isOpen: boolean;
  resolve(reply: EnqueueReply): void;
  reject(error: unknown): void;
}

/** Submissions to one pool, in the order of coming: so in that of their limits. */
interface Line {
  /** By call. */
  underWay: readonly (readonly Waiting[])[];
  waiting: Waiting[];
  /** Sends at the end of this turn. */
  isDue: boolean;
}

/**
 * Gathers single submissions: what comes for a pool in one turn of the event loop goes together when it ends, what comes while
 * that is under way in the next call, which does not wait for its end either when it is worth it: else all who submit would wait for Redis at the same
 * time, and Redis then for them. Nothing counts as accepted before the store has it.
 */
export class Submitter {
  readonly #params: SubmitterParams;
  readonly #limitMs: number;
  // No Set of them all: the tables that it leaves behind, each with a link to the next one, keep what was in them alive
  // until the next major collection of garbage, which was a seventh of all that requests allocate.
  readonly #pools = new Map<string, Line>();
  /** Not answered. */
  #open = 0;
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
      const known = this.#pools.get(pool);
      this.#requireRoom(pool, known, bytes);
      const untilMs = this.#params.clock.monotonicMs() + this.#limitMs;
      const entry: Waiting = { job, bytes, untilMs, isOpen: true, resolve, reject };
      this.#bytes += bytes;
      this.#open += 1;
      this.#timer ??= this.#params.clock.setTimer(this.#limitMs, () => this.#giveUpLate());
      const line = known ?? { underWay: [], waiting: [], isDue: false };
      if (known === undefined) {
        this.#pools.set(pool, line);
      }
      line.waiting.push(entry);
      this.#sendSoon(pool, line);
    });
  }

  #requireRoom(pool: string, line: Line | undefined, bytes: number): void {
    if (line !== undefined && line.waiting.length >= MAX_WAITING) {
      throw new ProblemError('overloaded', `${MAX_WAITING} submissions to the pool "${pool}" wait already`);
    }
    if (this.#bytes + bytes > MAX_BYTES) {
      throw new ProblemError('overloaded', `submissions of ${MAX_BYTES / 1024 / 1024} MiB are under way already`);
    }
  }

  /** With what else comes in this turn of the event loop. */
  #sendSoon(pool: string, line: Line): void {
    if (!line.isDue) {
      line.isDue = true;
      process.nextTick(() => {
        line.isDue = false;
        this.#sendNext(pool, line);
      });
    }
  }

  #sendNext(pool: string, line: Line): void {
    const { underWay, waiting } = line;
    if (underWay.length === 0 ? waiting.length > 0 : underWay.length < MAX_CALLS && waiting.length >= WORTH_A_CALL) {
      void this.#send(pool, line, waiting.splice(0, MAX_BATCH));
    } else if (underWay.length === 0) {
      this.#pools.delete(pool);
    }
  }

  async #send(pool: string, line: Line, batch: readonly Waiting[]): Promise<void> {
    line.underWay = [...line.underWay, batch];
    await this.#write(pool, batch);
    line.underWay = line.underWay.filter((each) => each !== batch);
    this.#sendNext(pool, line);
  }

  async #write(pool: string, batch: readonly Waiting[]): Promise<void> {
    try {
      const { store, onSent } = this.#params;
      const jobs = batch.map((entry) => entry.job);
      let started: Promise<void> | undefined;
      const replies = await store.enqueue(pool, jobs, () => {
        started = onSent?.(pool, jobs);
      });
      if (batch.length === 1 && started !== undefined) {
        await this.#startFirst(started);
      }
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

  /** Of a lone job the start goes before the answer, which would keep it for as long as making it takes. */
  async #startFirst(started: Promise<void>): Promise<void> {
    let timer: Timer | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = this.#params.clock.setTimer(START_FIRST_MS, resolve);
    });
    await Promise.race([started, enough]);
    timer?.cancel();
    await nextTurn(); // HTTP/2 writes at the end of this one
  }

  /** False: it was answered before. */
  #close(entry: Waiting): boolean {
    if (!entry.isOpen) {
      return false;
    }
    entry.isOpen = false;
    this.#open -= 1;
    this.#bytes -= entry.bytes;
    return true;
  }

  /** Who is answered 503 is not written afterwards, if it has not been sent yet. */
  #giveUpLate(): void {
    const nowMs = this.#params.clock.monotonicMs();
    const isLate = (entry: Waiting): boolean => entry.untilMs <= nowMs;
    let nextMs = nowMs + this.#limitMs;
    for (const line of this.#pools.values()) {
      const late = [...line.underWay.flat(), ...line.waiting].filter((entry) => entry.isOpen && isLate(entry));
      line.waiting = line.waiting.filter((entry) => !isLate(entry));
      for (const entry of late) {
        this.#close(entry);
        entry.reject(new TimeoutError('writing the job', this.#limitMs));
      }
      const first = line.underWay.flat().find((entry) => entry.isOpen) ?? line.waiting[0];
      nextMs = Math.min(nextMs, first?.untilMs ?? nextMs);
    }
    this.#timer = this.#open === 0 ? undefined : this.#params.clock.setTimer(nextMs - nowMs, () => this.#giveUpLate());
  }

  #rest(): void {
    if (this.#open === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }
}
