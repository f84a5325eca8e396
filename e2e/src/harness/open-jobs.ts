import type { Redis } from 'ioredis';

export interface OpenJobs {
  queued: number;
  scheduled: number;
  running: number;
}

/** How many jobs of a pool are not final, by what Redis says. What runs is a counter there. */
export async function openJobs(redis: Redis, pool = 'default'): Promise<OpenJobs> {
  const base = `orc:p:{${pool}}:`;
  const [queued, scheduled, running] = await Promise.all([
    redis.zcard(`${base}queued`),
    redis.zcard(`${base}scheduled`),
    redis.get(`${base}running`),
  ]);
  return { queued, scheduled, running: Number(running) };
}
