export { ManualClock } from './manual-clock.js';
export type { TestRedis, TestRedisOptions } from './redis-fixture.js';
export { freePort, redisServerProgram, startRedis } from './redis-fixture.js';
