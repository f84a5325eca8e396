import type { Redis } from 'ioredis';

const LOOK_UPS = 20_000;
const SCRIPT = `for i = 1, ${LOOK_UPS} do redis.call('EXISTS', 'nobody') end`;

/**
 * Lets Redis finish moving its keys to a larger table, which it does one bucket with each look at a key: for a while after the
 * number of keys has passed a power of two every look costs some 2 µs more, and a measurement that falls into that while
 * shows this and not the length of the queue. A table has at most twice as many buckets as keys.
 */
export async function growTables(redis: Redis): Promise<void> {
  for (let left = 2 * (await redis.dbsize()); left > 0; left -= LOOK_UPS) {
    await redis.eval(SCRIPT, 0);
  }
}
