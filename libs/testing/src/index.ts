export type { FaultProxy } from './fault-proxy.js';
export { startFaultProxy } from './fault-proxy.js';
export { ManualClock } from './manual-clock.js';
export type { TestRedis, TestRedisOptions } from './redis-fixture.js';
export { freePort } from './free-port.js';
export { startRedis, usesContainers } from './redis-fixture.js';
export { redisServerProgram } from './redis-process.js';
export { testSeeds } from './test-seeds.js';
