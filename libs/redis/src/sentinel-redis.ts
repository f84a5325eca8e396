import { Redis } from 'ioredis';

import type { ConnectionOptions } from './connection-options.js';
import { toTls } from './to-tls.js';

/** Where Redis is, as its Sentinels tell. */
export interface SentinelTarget {
  /** "host:port" of each that is known, or "redis://:password@host:port", with the same password for all. */
  sentinels: readonly string[];
  /**
   * The Sentinels' name of the master, or "redis://user:password@name/2" where it has a password or a database. With
   * rediss:// master and Sentinels are spoken to over TLS.
   */
  name: string;
}

/** A Sentinel that does not answer by then is passed over for the next one. */
const SENTINEL_ANSWER_MS = 1_000;
const SENTINEL_RETRY_MS = 250;
/** Sentinels that were away are listened to again after that; who leads is asked anew at each connection anyway. */
const SENTINEL_LISTEN_AGAIN_MS = 5_000;
const SENTINEL_PORT = 26_379;

/**
 * A connection to the master that Sentinels name. It is made anew when they announce another master, also when the old
 * one still answers.
 */
export class SentinelRedis extends Redis {
  #isClosed = false;

  constructor(target: SentinelTarget & { ca?: string | undefined }, options: ConnectionOptions) {
    super({ ...options, ...toOptions(target) });
    this.on('end', () => {
      if (this.#isClosed) {
        super.disconnect(); // after QUIT it would go on listening to the Sentinels
      } else {
        // An announcement that comes while the next master is being asked for makes ioredis 6.0.0 give up for ever.
        this.connect().catch(() => undefined); // it goes on trying
      }
    });
  }

  override disconnect(reconnect = false): void {
    this.#isClosed ||= !reconnect;
    super.disconnect(reconnect);
  }

  override quit(): Promise<'OK'> {
    this.#isClosed = true;
    return super.quit();
  }
}

function toOptions({ sentinels, name, ca }: SentinelTarget & { ca?: string | undefined }): ConnectionOptions {
  const nodes = sentinels.map((text) => toUrl(text));
  const guarded = nodes.find(({ password }) => password !== '');
  const master = toUrl(name);
  return {
    sentinels: nodes.map(({ hostname, port }) => ({
      host: withoutBrackets(hostname),
      port: port === '' ? SENTINEL_PORT : Number(port),
    })),
    name: decodeURIComponent(master.hostname),
    db: Number(master.pathname.slice(1)),
    ...credentials(master, 'username', 'password'),
    ...(guarded === undefined ? {} : credentials(guarded, 'sentinelUsername', 'sentinelPassword')),
    ...(master.protocol === 'rediss:'
      ? { tls: toTls(ca), sentinelTLS: toTls(ca), enableTLSForSentinelMode: true }
      : {}),
    failoverDetector: true,
    sentinelCommandTimeout: SENTINEL_ANSWER_MS,
    sentinelRetryStrategy: () => SENTINEL_RETRY_MS,
    sentinelReconnectStrategy: () => SENTINEL_LISTEN_AGAIN_MS,
  };
}

function toUrl(text: string): URL {
  return new URL(/^rediss?:/.test(text) ? text : `redis://${text}`);
}

function credentials<U extends string, P extends string>(
  { username, password }: URL,
  userKey: U,
  passwordKey: P,
): Partial<Record<U | P, string>> {
  const all = [
    [userKey, username],
    [passwordKey, password],
  ] as const;
  return Object.fromEntries(
    all.filter(([, value]) => value !== '').map(([key, value]) => [key, decodeURIComponent(value)]),
  ) as Partial<Record<U | P, string>>;
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
