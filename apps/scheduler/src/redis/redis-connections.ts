import type { Clock } from '@orchestrator/core';
import { type Service, withTimeout } from '@orchestrator/lifecycle';
import { createRedis, type RedisTarget, setAuthority, setPassword } from '@orchestrator/redis';
import type { Logger } from '@orchestrator/telemetry';
import type { Redis } from 'ioredis';

import type { CredentialFile } from '../credentials/credential-file.js';

export interface RedisConnectionsParams {
  target: RedisTarget;
  /** Empty: `target`. */
  lockUrls: readonly string[];
  /** From a file; for each of them whose address has none. */
  password?: CredentialFile<string> | undefined;
  /** Of rediss:// addresses. */
  authority?: CredentialFile<string> | undefined;
  /** Shown by CLIENT LIST. */
  schedulerId: string;
  clock: Clock;
  logger: Logger;
}

/** No Redis, or Sentinel, that is away keeps a scheduler from starting: it then answers 503 and says why. */
const FIRST_TRY_LIMIT_MS = 1_500;

/** What Redis says of a password that is wrong or missing. */
const REFUSED = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR Client sent AUTH)/;
/** What Node and OpenSSL say of a connection over TLS that did not come about. */
const TLS_TROUBLE = /certificate|SSL routines|before secure TLS connection/;

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
  readonly #clock: Clock;
  #refusal: string | undefined;
  #tlsTrouble: string | undefined;

  constructor({ target, lockUrls, password, authority, schedulerId, clock, logger }: RedisConnectionsParams) {
    this.#clock = clock;
    const connect = (role: string, to: RedisTarget): Redis =>
      createRedis({
        ...to,
        connectionName: `${schedulerId}:${role}`,
        ca: authority?.value,
        onError: ({ message }) => {
          logger.debug('an error on a connection to Redis', { role, error: message });
          if (REFUSED.test(message) && message !== this.#refusal) {
            this.#refusal = message;
            logger.error('Redis refuses the password that is configured, or asks for one', { role, reason: message });
          }
          if (TLS_TROUBLE.test(message) && message !== this.#tlsTrouble) {
            this.#tlsTrouble = message;
            logger.error('no TLS with Redis: see redis.ca and the names in its certificate', { role, reason: message });
          }
        },
      });
    this.submit = connect('submit', target);
    this.dispatch = connect('dispatch', target);
    this.control = connect('control', target);
    this.news = connect('news', target);
    this.locks = (lockUrls.length === 0 ? [target] : lockUrls.map((url) => ({ url }))).map((to) => connect('lock', to));
    this.#all = [this.submit, this.dispatch, this.control, this.news, ...this.locks];
    if (password !== undefined) {
      this.#follow(password);
    }
    // The next refusal is news again.
    this.#all.forEach((redis) =>
      redis.on('ready', () => {
        this.#refusal = undefined;
        this.#tlsTrouble = undefined;
      }),
    );
    authority?.onChange((ca) => {
      this.#tlsTrouble = undefined;
      this.#all.forEach((redis) => setAuthority(redis, ca));
    });
  }

  /** Why the last connection that was tried did not come about, where that is known: `RedisHealth.trouble`. */
  get trouble(): string | undefined {
    if (this.#refusal !== undefined) {
      return 'Redis refuses the password that is configured, or asks for one';
    }
    return this.#tlsTrouble === undefined ? undefined : 'no TLS with Redis';
  }

  /** Connections that are open stay so: Redis does not ask them again. */
  #follow(password: CredentialFile<string>): void {
    const without = this.#all.filter(({ options }) => (options.password ?? '') === '');
    const give = (value: string): void => without.forEach((redis) => setPassword(redis, value));
    give(password.value);
    password.onChange((value) => {
      this.#refusal = undefined;
      give(value);
    });
  }

  /**
   * Resolves after the first try of each, or soon: where no Sentinel answers, ioredis never says so. A failure is no end:
   * they go on trying, and `RedisWatch` tells.
   */
  async start(): Promise<void> {
    const waiting = this.#all.filter(({ status }) => status === 'wait');
    const tried = Promise.all(waiting.map((redis) => redis.connect().catch(() => undefined)));
    await withTimeout(this.#clock, FIRST_TRY_LIMIT_MS, 'connecting to Redis', tried).catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#all.forEach((redis) => redis.disconnect());
  }
}
