import type { Redis } from 'ioredis';

const LOOK_UPS = 20_000;
/** By the type of a key: a look at a member that is not there. */
const LOOK: Readonly<Record<string, string>> = { hash: 'HEXISTS', zset: 'ZSCORE', set: 'SISMEMBER' };
const SIZE: Readonly<Record<string, 'hlen' | 'zcard' | 'scard'>> = { hash: 'hlen', zset: 'zcard', set: 'scard' };
const SCRIPT = `for i = 1, ${LOOK_UPS} do redis.call(ARGV[1], KEYS[1], 'nobody') end`;

/**
 * Lets Redis finish moving what it holds to larger tables, which it does one bucket with each look at a table: for a while after
 * the number of keys, or of the members of one, has passed a power of two every look costs some 2 µs more, and a measurement that
 * falls into that while shows this and not the length of the queue. A table has at most twice as many buckets as members.
 */
export async function growTables(redis: Redis): Promise<void> {
  for await (const keys of redis.scanStream({ count: 1_000 }) as AsyncIterable<string[]>) {
    for (const key of keys) {
      await growTable(redis, key);
    }
  }
}

async function growTable(redis: Redis, key: string): Promise<void> {
  const type = await redis.type(key);
  const [look, size] = [LOOK[type], SIZE[type]];
  if (look === undefined || size === undefined) {
    return;
  }
  for (let left = 2 * (await redis[size](key)); left > LOOK_UPS; left -= LOOK_UPS) {
    await redis.eval(SCRIPT, 1, key, look);
  }
}
