import { setMaxListeners } from 'node:events';

import { type Clock, sleep } from '@orchestrator/core';
import type { NewsType } from '@orchestrator/queue';
import type { FastifyReply } from 'fastify';

import { FairSeats } from './fair-seats.js';
import { invalid, ProblemError } from './problem.js';

/** Where changes of jobs are heard of; `QueueNews` of @orchestrator/queue. It only hurries: all is read again anyway. */
export interface JobNews {
  subscribe(
    pool: string,
    listener: (events: readonly { ulid: string }[]) => void,
    types?: readonly NewsType[],
  ): () => void;
}

export interface LongPollsParams {
  news: JobNews;
  clock: Clock;
  /** Requests that may wait at a time. Default `MAX_WAITERS`. */
  maxWaiters?: number;
}

export interface LongPoll<T> {
  /** Who asks. */
  caller: string;
  /** Whose news may change the answer. */
  pools: readonly string[];
  /** Only news of this job; of all jobs without it. */
  ulid?: string;
  /** Only of these kinds. Default: all. */
  types?: readonly NewsType[];
  waitMs: number;
  /** Aborts when the client has hung up. */
  signal: AbortSignal;
  read(): Promise<T>;
  isDone(value: T): boolean;
}

export const MAX_WAITERS = 1_000;
export const MAX_WAIT_S = 60;
/** Everything is read again this often, news or not. */
const SAFETY_MS = 1_000;
/** A batch is not read more often than this, however much happens in its pools. */
const QUIET_MS = 50;

/** Requests that wait for something to happen. Bounded; released when the client hangs up or the server stops. */
export class LongPolls {
  readonly #params: LongPollsParams;
  readonly #closing = new AbortController();
  readonly #seats: FairSeats;

  constructor(params: LongPollsParams) {
    this.#params = params;
    this.#seats = new FairSeats(params.maxWaiters ?? MAX_WAITERS);
    // Each that waits listens to it.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Waiters at present. */
  get waiters(): number {
    return this.#seats.taken;
  }

  /**
   * Reads until it is done, the time is up, the client is gone, the server stops, or another caller needs the place more;
   * answers what was read last.
   */
  async until<T>(poll: LongPoll<T>): Promise<T> {
    const { clock, news } = this.#params;
    const deadline = clock.monotonicMs() + poll.waitMs;
    if (poll.waitMs === 0) {
      return poll.read();
    }
    const pushedOut = new AbortController();
    const leave = this.#seats.take(poll.caller, () => pushedOut.abort());
    if (leave === undefined) {
      const { limit } = this.#seats;
      throw new ProblemError('overloaded', `${limit} requests with ?wait= wait already; ask again without it`);
    }
    // Aborted by whatever ends the present wait: news, or the end of all waiting.
    let pause = new AbortController();
    const wake = (): void => pause.abort();
    const ends = [poll.signal, this.#closing.signal, pushedOut.signal];
    const isOver = (): boolean => ends.some(({ aborted }) => aborted);
    ends.forEach((signal) => signal.addEventListener('abort', wake));
    const stops = poll.pools.map((pool) =>
      news.subscribe(
        pool,
        (events) => {
          if (poll.ulid === undefined || events.some((event) => event.ulid === poll.ulid)) {
            wake();
          }
        },
        poll.types,
      ),
    );
    try {
      for (;;) {
        pause = new AbortController();
        const readAt = clock.monotonicMs();
        const value = await poll.read();
        const leftMs = deadline - clock.monotonicMs();
        if (poll.isDone(value) || leftMs <= 0 || isOver()) {
          return value;
        }
        await sleep(clock, Math.min(SAFETY_MS, leftMs), pause.signal);
        if (poll.ulid === undefined && !isOver()) {
          await sleep(clock, Math.max(0, readAt + QUIET_MS - clock.monotonicMs()));
        }
      }
    } finally {
      stops.forEach((stop) => stop());
      ends.forEach((signal) => signal.removeEventListener('abort', wake));
      leave();
    }
  }

  /** Answers all that wait with what there is, now and from now on. */
  close(): void {
    this.#closing.abort();
  }
}

/** `?wait=` in milliseconds. @throws {ProblemError} 400 beyond its range. */
export function toWaitMs(wait: string | undefined): number {
  const seconds = Number(wait ?? '0');
  if (!(seconds >= 0 && seconds <= MAX_WAIT_S)) {
    throw invalid('wait', `expected seconds from 0 to ${MAX_WAIT_S}`);
  }
  return seconds * 1_000;
}

/** Aborts when the client hangs up before it was answered. */
export function hangUpSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
