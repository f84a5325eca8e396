import type { Clock, Random } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';

import { type QueueKeys, queueKeys } from '../keys.js';
import type {
  ClaimReply,
  ClaimWant,
  EnqueueReply,
  GiveBack,
  NewJob,
  PromoteReply,
  Settlement,
  SettleVerdict,
} from '../store.js';
import { PoolCalls } from './pool-calls.js';
import { requireBatch } from './require-batch.js';
import { claim } from './scripts/claim.js';
import { enqueue } from './scripts/enqueue.js';
import { giveBack } from './scripts/give-back.js';
import { promote } from './scripts/promote.js';
import { settle } from './scripts/settle.js';
import type { WithRandom } from './scripts/with-random.js';

export interface RedisQueueStoreParams {
  /** For the pools' slots. */
  redis: RedisClient;
  /** For what lies outside of them: the list of pools, batches, idempotency keys. Default `redis`. */
  control?: RedisClient;
  clock: Clock;
  random: Random;
  /** Before each key. Default `DEFAULT_PREFIX`. */
  prefix?: string;
  /** Default `CALL_TIMEOUT_MS`. */
  callTimeoutMs?: number;
}

/** The store on Redis: one file per operation in `scripts/` and `reads/`; here they are only put together. */
export class RedisQueueStore {
  readonly #redis: RedisClient;
  readonly #control: RedisClient;
  readonly #keys: QueueKeys;
  readonly #calls: PoolCalls;
  readonly #random: Random;
  readonly #registered = new Set<string>();

  constructor(params: RedisQueueStoreParams) {
    this.#redis = params.redis;
    this.#control = params.control ?? params.redis;
    this.#keys = queueKeys(params.prefix);
    this.#random = params.random;
    this.#calls = new PoolCalls({ ...params, keys: this.#keys });
  }

  get clientId(): string {
    return this.#calls.clientId;
  }

  // ---- submitting

  async enqueue(pool: string, jobs: readonly NewJob[]): Promise<EnqueueReply[]> {
    requireBatch('jobs', jobs);
    await this.#register(pool);
    return this.#calls.write(pool, enqueue, jobs, { resend: true });
  }

  // ---- attempts

  async claim(pool: string, wants: readonly ClaimWant[]): Promise<ClaimReply> {
    requireBatch('wants', wants);
    return this.#calls.write(pool, claim, { claimId: this.#random.hex(8), wants }, { resend: false });
  }

  async settle(pool: string, ends: readonly Settlement[]): Promise<SettleVerdict[]> {
    requireBatch('ends', ends);
    return this.#calls.write(pool, settle, this.#withRandom(ends), { resend: true });
  }

  async giveBack(pool: string, returns: readonly GiveBack[]): Promise<SettleVerdict[]> {
    requireBatch('returns', returns);
    return this.#calls.write(pool, giveBack, this.#withRandom(returns), { resend: true });
  }

  // ---- duties

  promote(pool: string): Promise<PromoteReply> {
    return this.#calls.write(pool, promote, undefined, { resend: true });
  }

  #withRandom<T extends object>(list: readonly T[]): WithRandom<T>[] {
    return list.map((one) => ({ ...one, random: this.#random.next() }));
  }

  /** Before the first job or session of a pool: it is in the list of pools, so that whoever looks after them finds it. */
  async #register(pool: string): Promise<void> {
    if (!this.#registered.has(pool)) {
      await this.#calls.read(`registering pool "${pool}"`, () => this.#control.sadd(this.#keys.pools(), pool));
      this.#registered.add(pool);
    }
  }
}
