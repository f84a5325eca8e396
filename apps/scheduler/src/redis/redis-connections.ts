import type { Service } from '@orchestrator/lifecycle';
import { createRedis } from '@orchestrator/redis';
import type { Logger } from '@orchestrator/telemetry';
import type { Redis } from 'ioredis';

export interface RedisConnectionsParams {
  url: string;
  /** Empty: `url`. */
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

  constructor({ url, lockUrls, schedulerId, logger }: RedisConnectionsParams) {
    const connect = (role: string, to: string, subscriber = false): Redis =>
      createRedis({
        url: to,
        connectionName: `${schedulerId}:${role}`,
        subscriber,
        onError: (error) => logger.debug('an error on a connection to Redis', { role, error: error.message }),
      });
    this.submit = connect('submit', url);
    this.dispatch = connect('dispatch', url);
    this.control = connect('control', url);
    this.news = connect('news', url, true);
    this.locks = (lockUrls.length === 0 ? [url] : lockUrls).map((to) => connect('lock', to));
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
