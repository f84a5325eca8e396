import { setTimeout as pause } from 'node:timers/promises';

import type { Run } from '../workload.js';
import type { Product } from './product.js';

/** What was spent while nobody asked for anything. */
export interface Rest {
  ms: number;
  schedulerUs: number;
  workersUs: number;
  redisUs: number;
}

export async function atRest({ redis }: Run, product: Product, seconds: number): Promise<Rest> {
  const since = performance.now();
  const [before, redisBefore] = [product.cpuUs(), await redis.cpuUs()];
  await pause(seconds * 1_000);
  const [after, redisAfter] = [product.cpuUs(), await redis.cpuUs()];
  return {
    ms: performance.now() - since,
    schedulerUs: after.schedulers - before.schedulers,
    workersUs: after.workers - before.workers,
    redisUs: redisAfter - redisBefore,
  };
}

/** Of one core. */
export function percentOfCore(cpuUs: number, ms: number): number {
  return (cpuUs / (ms * 1_000)) * 100;
}
