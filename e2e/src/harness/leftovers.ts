import type { Redis } from 'ioredis';

import { openJobs } from './open-jobs.js';

/**
 * What Redis still holds of a pool in which every job is final: owners, gates, deaths, orders of anybody but the
 * sessions that live. An empty list is what should be found.
 */
export async function leftovers(redis: Redis, aliveSessions: number, pool = 'default'): Promise<string[]> {
  const base = `orc:p:{${pool}}:`;
  const found: string[] = [];
  for (const [state, count] of Object.entries(await openJobs(redis, pool))) {
    if (count !== 0) {
      found.push(`${count} jobs in ${state}`);
    }
  }
  for (const hash of ['dying', 'orders']) {
    const fields = await redis.hkeys(base + hash);
    if (fields.length > 0) {
      found.push(`${hash}: ${fields.join(', ')}`);
    }
  }
  const owners = await redis.keys(`${base}s:*`);
  if (owners.length > 0) {
    found.push(`jobs owned by ${owners.join(', ')}`);
  }
  const gates = await redis.hlen(`${base}gates`);
  if (gates > aliveSessions) {
    found.push(`${gates} gates, but ${aliveSessions} live sessions`);
  }
  return found;
}
