import { type Clock, type Random, sleep } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';

import { StoreFullError, StoreUnavailableError } from '../errors.js';
import type { QueueKeys } from '../keys.js';
import { toCallFailure, toUnavailable } from './call-errors.js';
import type { PoolScript } from './define-pool-script.js';

export interface PoolCallsParams {
  redis: RedisClient;
  keys: QueueKeys;
  clock: Clock;
  random: Random;
  /**
   * From the asking to the rejection, waiting and repetitions included. What is never repeated has it from its turn on:
   * with the rest that waiting left, a slow Redis would carry it out and be given up all the same. Default
   * `CALL_TIMEOUT_MS`.
   */
  callTimeoutMs?: number;
  /** Writing calls that may wait for their turn, per pool. Default `MAX_WAITING_CALLS`. */
  maxWaiting?: number;
}

export interface WriteOptions {
  /** May be executed twice: it is sent again, under the same number, when its answer is lost. Never set for a claim. */
  resend: boolean;
  /** Stands around each sending: what it rejects with is how the sending failed. Default: the answer is enough. */
  confirm?<Reply>(send: () => Promise<Reply>): Promise<Reply>;
}

export const CALL_TIMEOUT_MS = 2_500;
export const MAX_WAITING_CALLS = 1_000;
const RESEND_FIRST_MS = 20;
const RESEND_MAX_MS = 200;

/**
 * One client of the store. It has one writing call in flight per pool, in the order of asking, and numbers its calls:
 * what arrives late, behind a later call, is refused by the scripts (`STALE_OP`). So a repetition is harmless as long as
 * it carries the number of the first sending, and bytes of a call given up do nothing once another one has been made.
 * Every call settles within `callTimeoutMs`; one that is never repeated within that of its turn.
 */
export class PoolCalls {
  readonly clientId: string;
  readonly #params: Required<PoolCallsParams>;
  /** Per pool: the end of its line, and how many stand in it. No entry where none does. */
  readonly #lines = new Map<string, { tail: Promise<void>; length: number }>();
  #lastNumber = 0;

  constructor(params: PoolCallsParams) {
    this.#params = {
      ...params,
      callTimeoutMs: params.callTimeoutMs ?? CALL_TIMEOUT_MS,
      maxWaiting: params.maxWaiting ?? MAX_WAITING_CALLS,
    };
    this.clientId = params.random.hex(8);
  }

  /** Writing calls of this pool that are under way or wait. */
  openCalls(pool: string): number {
    return this.#lines.get(pool)?.length ?? 0;
  }

  /**
   * Sends a script of a pool when all earlier ones of that pool have settled.
   * @throws {StoreUnavailableError} not confirmed in time, or too many wait
   * @throws {StaleCallError} {@link StoreFullError} {@link SchemaMismatchError} as the script answered
   */
  async write<Params, Reply>(
    pool: string,
    script: PoolScript<Params, Reply>,
    params: Params,
    options: WriteOptions,
  ): Promise<Reply> {
    const what = `${script.name} in pool "${pool}"`;
    const deadline = this.#deadline();
    const leave = await this.#enter(pool, what);
    try {
      const call = { base: this.#params.keys.pool(pool), clientId: this.clientId, number: ++this.#lastNumber };
      const ask = (): Promise<Reply> => script.send(this.#params.redis, call, params);
      return await this.#send(
        what,
        options.resend ? deadline : this.#deadline(),
        options.resend,
        () => options.confirm?.(ask) ?? ask(),
      );
    } finally {
      leave();
    }
  }

  /** Sends what has no number because it may be sent twice anyway: reads, and idempotent writes of other slots. */
  read<Reply>(what: string, ask: () => Promise<Reply>): Promise<Reply> {
    return this.#send(what, this.#deadline(), true, ask);
  }

  #deadline(): number {
    return this.#params.clock.monotonicMs() + this.#params.callTimeoutMs;
  }

  async #enter(pool: string, what: string): Promise<() => void> {
    const line = this.#lines.get(pool) ?? { tail: Promise.resolve(), length: 0 };
    if (line.length > this.#params.maxWaiting) {
      const message = `${what} was not sent: ${this.#params.maxWaiting} calls are waiting`;
      throw new StoreUnavailableError(message, { mayHaveExecuted: false });
    }
    const before = line.tail;
    let leave = (): void => undefined;
    line.tail = new Promise((resolve) => {
      leave = () => {
        line.length -= 1;
        if (line.length === 0) {
          this.#lines.delete(pool);
        }
        resolve();
      };
    });
    line.length += 1;
    this.#lines.set(pool, line);
    await before;
    return leave;
  }

  async #send<Reply>(what: string, deadline: number, resend: boolean, ask: () => Promise<Reply>): Promise<Reply> {
    const { clock, random } = this.#params;
    let mayHaveExecuted = false;
    let last: unknown;
    for (let wait = RESEND_FIRST_MS; ; wait = Math.min(wait * 2, RESEND_MAX_MS)) {
      const left = deadline - clock.monotonicMs();
      if (left <= 0) {
        throw toUnavailable(
          what,
          last ?? new Error('the calls before it took all the time there was'),
          mayHaveExecuted,
        );
      }
      try {
        return await this.#within(left, ask());
      } catch (error) {
        const failure = toCallFailure(what, error);
        if (failure.kind === 'final') {
          // "Full" must not hide that an earlier sending may have been written.
          throw mayHaveExecuted && failure.error instanceof StoreFullError
            ? toUnavailable(what, failure.error, true)
            : failure.error;
        }
        last = failure.error;
        mayHaveExecuted ||= failure.kind === 'unknown';
        if (mayHaveExecuted && !resend) {
          throw toUnavailable(what, last, true);
        }
      }
      await sleep(clock, Math.min(wait * (0.5 + random.next() / 2), Math.max(0, deadline - clock.monotonicMs())));
    }
  }

  /** ioredis has a limit of its own for a command, but none in some states of a Cluster (redis/ioredis#1604). */
  #within<Reply>(limitMs: number, answer: Promise<Reply>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timer = this.#params.clock.setTimer(limitMs, () => reject(new Error(`no answer within ${limitMs} ms`)));
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}
