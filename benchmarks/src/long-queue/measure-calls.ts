import type { Redis } from 'ioredis';

import { median } from '../statistics.js';
import { readCounters } from '../store/redis-counters.js';
import { growTables } from './grow-tables.js';

export interface CallCost {
  /** CPU of Redis' main thread, which executes commands and writes the append-only file. */
  redisUs: number;
  medianMs: number;
}

/** One after the other. */
export async function measureCalls(
  redis: Redis,
  times: number,
  call: (index: number) => Promise<unknown>,
): Promise<CallCost> {
  await growTables(redis);
  const wallMs: number[] = [];
  const before = await readCounters(redis);
  for (let index = 0; index < times; index += 1) {
    const since = performance.now();
    await call(index);
    wallMs.push(performance.now() - since);
  }
  const after = await readCounters(redis);
  return { redisUs: (after.cpuUs - before.cpuUs) / times, medianMs: median(wallMs) };
}

/** As figures of a round: `enqueue` → `enqueueCallUs` and `enqueueMs`. */
export function callFigures(costs: Readonly<Record<string, CallCost>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(costs).flatMap(([name, { redisUs, medianMs }]) => [
      [`${name}CallUs`, redisUs],
      [`${name}Ms`, medianMs],
    ]),
  );
}
