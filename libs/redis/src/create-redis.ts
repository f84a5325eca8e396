import { Redis } from 'ioredis';

/** What happened on a connection, for whoever logs it. */
export interface RedisEvents {
  onError?(error: Error): void;
}

export interface CreateRedisOptions extends RedisEvents {
  /** As in "redis://127.0.0.1:6379" or "unix:///path/to/redis.sock". */
  url: string;
  /** Shown by CLIENT LIST. */
  connectionName: string;
  /** A connection that only listens: no limit on a silent socket. Default false. */
  subscriber?: boolean;
}

/** A call that was not answered by then is rejected; it may still be executed. */
export const COMMAND_TIMEOUT_MS = 2_000;
export const CONNECT_TIMEOUT_MS = 1_000;
const RECONNECT_FIRST_MS = 50;
const RECONNECT_MAX_MS = 1_000;

/**
 * A connection that fails fast and never executes a command twice by itself: no queue while offline, no command kept
 * over a reconnect (callers repeat what may be repeated; every script recognises its own repetition), a limit on each
 * call and on a socket that stays silent while something was asked. It reconnects for ever, and moves on when the
 * server says that it is a replica now. It connects at the first command or `connect()`.
 */
export function createRedis(options: CreateRedisOptions): Redis {
  const path = options.url.startsWith('unix://') ? options.url.slice('unix://'.length) : undefined;
  const common = {
    connectionName: options.connectionName,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (times: number) => Math.min(RECONNECT_FIRST_MS * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
    reconnectOnError: (error: Error): 1 | false => (/^(READONLY|LOADING|MASTERDOWN)/.test(error.message) ? 1 : false),
    ...(options.subscriber === true
      ? {}
      : { commandTimeout: COMMAND_TIMEOUT_MS, socketTimeout: COMMAND_TIMEOUT_MS + 1_000 }),
  };
  const redis = path === undefined ? new Redis(options.url, common) : new Redis({ ...common, path });
  redis.on('error', (error: Error) => options.onError?.(error));
  return redis;
}
