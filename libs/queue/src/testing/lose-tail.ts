import type { Redis } from 'ioredis';

const SAVE = `
local found = {}
for _, key in ipairs(redis.call('KEYS', KEYS[1] .. '*')) do
  found[#found + 1] = key
  found[#found + 1] = redis.call('DUMP', key)
end
return found`;

const RESTORE = `
for _, key in ipairs(redis.call('KEYS', KEYS[1] .. '*')) do
  redis.call('DEL', key)
end
for i = 2, #ARGV, 2 do
  redis.call('RESTORE', ARGV[i], 0, ARGV[i + 1])
end
redis.call('HSET', KEYS[1] .. 'calls', 'server', ARGV[1])
return redis.call('ZRANGE', KEYS[1] .. 'succeeded', 0, -1)`;

/**
 * Saves what lies in a pool's slot now. The function answered brings that back, as a replica would that had heard nothing
 * since and was promoted: the pool remembers `server`, which is not the one that it is on; it answers which jobs have
 * succeeded. Both are one moment.
 */
export async function savePool(redis: Redis, base: string): Promise<(server: string) => Promise<string[]>> {
  const saved = (await redis.callBuffer('EVAL', SAVE, 1, base)) as Buffer[];
  return async (server) => {
    const succeeded = (await redis.callBuffer('EVAL', RESTORE, 1, base, server, ...saved)) as Buffer[];
    return succeeded.map(String);
  };
}
