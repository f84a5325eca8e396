import { Redis } from 'ioredis';

import type { ConnectionOptions } from './connection-options.js';
import { SentinelRedis, type SentinelTarget } from './sentinel-redis.js';
import { toTls } from './to-tls.js';

/** What happened on a connection, for whoever logs it. */
export interface RedisEvents {
  onError?(error: Error): void;
}

/** One server, as "redis://127.0.0.1:6379", "rediss://host:6379" (TLS) or "unix:///path/to/redis.sock", or the Sentinels that know which it is. */
export type RedisTarget = { url: string } | SentinelTarget;

export type CreateRedisOptions = RedisEvents &
  RedisTarget & {
    /** Shown by CLIENT LIST. */
    connectionName: string;
    /** Authority (PEM) of rediss:// addresses. Default: those that Node knows. */
    ca?: string | undefined;
  };

/** A call that was not answered by then is rejected; it may still be executed. */
export const COMMAND_TIMEOUT_MS = 2_000;
export const CONNECT_TIMEOUT_MS = 1_000;
const RECONNECT_FIRST_MS = 50;
const RECONNECT_MAX_MS = 1_000;
/** A server that hangs does not answer the closing of a connection either. */
const DISCONNECT_MS = 100;

/**
 * A connection that fails fast and never executes a command twice by itself: no queue while offline, no command kept
 * over a reconnect (callers repeat what may be repeated; every script recognises its own repetition), a limit on each
 * call and on a socket that stays silent while something was asked. It reconnects for ever, and moves on when the
 * server says that it is a replica now. It connects at the first command or `connect()`.
 */
export function createRedis(options: CreateRedisOptions): Redis {
  const common: ConnectionOptions = {
    connectionName: options.connectionName,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: COMMAND_TIMEOUT_MS + 1_000,
    retryStrategy: (times: number) => Math.min(RECONNECT_FIRST_MS * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
    reconnectOnError: (error: Error): 1 | false => (/^(READONLY|LOADING|MASTERDOWN)/.test(error.message) ? 1 : false),
  };
  const redis = connectionTo(options, common);
  redis.on('error', (error: Error) => options.onError?.(error));
  return redis;
}

/** The password from now on: of each connection that is made, or made anew. */
export function setPassword(redis: Redis, password: string): void {
  redis.options.password = password;
}

/** The authority from now on: of each connection over TLS that is made, or made anew. */
export function setAuthority(redis: Redis, ca: string): void {
  const { options } = redis;
  if (options.tls !== undefined) {
    options.tls = toTls(ca);
  }
  if (options.sentinelTLS !== undefined) {
    options.sentinelTLS = toTls(ca);
  }
}

function connectionTo(target: CreateRedisOptions, options: ConnectionOptions): Redis {
  if ('sentinels' in target) {
    return new SentinelRedis(target, options);
  }
  if (target.url.startsWith('rediss://')) {
    return new Redis(target.url, { ...options, tls: toTls(target.ca) });
  }
  return target.url.startsWith('unix://')
    ? new Redis({ ...options, path: target.url.slice('unix://'.length) })
    : new Redis(target.url, options);
}
