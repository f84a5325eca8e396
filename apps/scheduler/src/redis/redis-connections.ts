import type { Service } from '@orchestrator/lifecycle';
import { createRedis, type RedisTarget } from '@orchestrator/redis';
import type { Logger } from '@orchestrator/telemetry';
import type { Redis } from 'ioredis';

export interface RedisConnectionsParams {
  target: RedisTarget;
  /** Empty: `target`. */
  lockUrls: readonly string[];
  /** Shown by CLIENT LIST. */
  schedulerId: string;
  logger: Logger;
}

/**
 * One connection for each kind of work, so that none stands in the way of another: submissions behind dispatching,
 * heartbeats behind either. All are made at once and go on trying for as long as Redis is not there.
 */
export class RedisConnections implements Service {
  readonly name = 'redis connections';
  readonly submit: Redis;
  readonly dispatch: Redis;
  readonly control: Redis;
  readonly news: Redis;
  readonly locks: readonly Redis[];
  readonly #all: readonly Redis[];

  constructor({ target, lockUrls, schedulerId, logger }: RedisConnectionsParams) {
    const connect = (role: string, to: RedisTarget): Redis =>
      createRedis({
        ...to,
        connectionName: `${schedulerId}:${role}`,
        onError: (error) => logger.debug('an error on a connection to Redis', { role, error: error.message }),
      });
    this.submit = connect('submit', target);
    this.dispatch = connect('dispatch', target);
    this.control = connect('control', target);
    this.news = connect('news', target);
    this.locks = (lockUrls.length === 0 ? [target] : lockUrls.map((url) => ({ url }))).map((to) => connect('lock', to));
    this.#all = [this.submit, this.dispatch, this.control, this.news, ...this.locks];
  }

  /** Resolves after the first try of each. A failure is no end: they go on trying, and `RedisWatch` tells. */
  async start(): Promise<void> {
    const waiting = this.#all.filter(({ status }) => status === 'wait');
    await Promise.all(waiting.map((redis) => redis.connect().catch(() => undefined)));
  }

  async stop(): Promise<void> {
    this.#all.forEach((redis) => redis.disconnect());
  }
}
