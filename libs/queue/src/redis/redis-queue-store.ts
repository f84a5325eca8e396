import type { Clock, Random } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';

import { type QueueKeys, queueKeys } from '../keys.js';
import { PoolCalls } from './pool-calls.js';

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

  /** Before the first job or session of a pool: it is in the list of pools, so that whoever looks after them finds it. */
  async #register(pool: string): Promise<void> {
    if (!this.#registered.has(pool)) {
      await this.#calls.read(`registering pool "${pool}"`, () => this.#control.sadd(this.#keys.pools(), pool));
      this.#registered.add(pool);
    }
  }
}
