import type { Clock } from '@orchestrator/core';
import { createDeferred, type Service, withTimeout } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';
import type { Redis } from 'ioredis';

import { inspectServer } from './inspect-server.js';

export interface RedisWatchParams {
  /** The connection that is looked at. */
  redis: Redis;
  /** For log lines, credentials masked. */
  address: string;
  clock: Clock;
  logger: Logger;
}

const PING_LIMIT_MS = 1_000;
export const EXIT_UNUSABLE_REDIS = 2;

/**
 * Says when Redis is there and when it is not, once each time, and looks at each server it finds: one that is too old
 * is refused, settings that would lose jobs are warned of.
 */
export class RedisWatch implements Service {
  readonly name = 'redis watch';
  readonly #params: RedisWatchParams;
  readonly #unusable = createDeferred<number>();
  #state: 'unknown' | 'reachable' | 'unreachable' = 'unknown';
  #told = new Set<string>();

  constructor(params: RedisWatchParams) {
    this.#params = params;
  }

  /** Resolves with an exit code when this Redis cannot be used at all. */
  get unusable(): Promise<number> {
    return this.#unusable.promise;
  }

  async start(): Promise<void> {
    const { redis } = this.#params;
    redis.on('ready', this.#onReady);
    redis.on('close', this.#onClose);
  }

  async stop(): Promise<void> {
    const { redis } = this.#params;
    redis.off('ready', this.#onReady);
    redis.off('close', this.#onClose);
  }

  /** Whether it answers now. Never rejects, takes a second at most. */
  async answers(): Promise<boolean> {
    const { redis, clock } = this.#params;
    if (redis.status !== 'ready') {
      return false;
    }
    try {
      await withTimeout(clock, PING_LIMIT_MS, 'PING', redis.ping());
      return true;
    } catch {
      return false;
    }
  }

  readonly #onReady = (): void => {
    const { logger, address } = this.#params;
    if (this.#state === 'unreachable') {
      logger.info('Redis is back', { redis: address });
    }
    this.#state = 'reachable';
    void this.#inspect();
  };

  readonly #onClose = (): void => {
    const { logger, address } = this.#params;
    if (this.#state !== 'unreachable') {
      logger.warn('Redis cannot be reached: submissions are answered 503, it is tried again and again', {
        redis: address,
      });
    }
    this.#state = 'unreachable';
  };

  async #inspect(): Promise<void> {
    const { redis, logger, address } = this.#params;
    try {
      const { product, version, tooOld, warnings } = await inspectServer(redis);
      if (tooOld !== undefined) {
        logger.error('this Redis is too old', { redis: address, product, version, expected: tooOld });
        this.#unusable.resolve(EXIT_UNUSABLE_REDIS);
        return;
      }
      this.#tellOnce('Redis is reachable', `${product} ${version}`, () =>
        logger.info('Redis is reachable', { redis: address, product, version }),
      );
      for (const warning of warnings) {
        this.#tellOnce('warning', warning, () => logger.warn('Redis is not set up for jobs to be safe', { warning }));
      }
    } catch (error) {
      logger.debug('Redis could not be inspected', { error });
    }
  }

  #tellOnce(kind: string, what: string, tell: () => void): void {
    const key = `${kind}: ${what}`;
    if (!this.#told.has(key)) {
      this.#told.add(key);
      tell();
    }
  }
}
