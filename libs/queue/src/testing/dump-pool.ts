import type { Redis } from 'ioredis';

/** Everything that lies under `base`, by key, but for when each client called last. */
export async function dumpPool(redis: Redis, base: string): Promise<Record<string, unknown>> {
  const names = (await redis.keys(`${base.replace(/[[\]?*\\]/g, '\\$&')}*`)).sort();
  const values = await Promise.all(names.map((name) => dump(redis, name)));
  const found = Object.fromEntries(names.map((name, i) => [name.slice(base.length), values[i]]));
  // The number of a client's last call stays comparable, its time does not.
  const calls = Object.entries((found['calls'] ?? {}) as Record<string, string>);
  return { ...found, calls: Object.fromEntries(calls.map(([client, text]) => [client, text.split(' ')[0]])) };
}

async function dump(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'hash':
      return redis.hgetall(key);
    case 'zset':
      return redis.zrange(key, '0', '-1', 'WITHSCORES');
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return (await redis.smembers(key)).sort();
    case 'stream':
      return redis.xrange(key, '-', '+');
    default:
      return redis.get(key);
  }
}
