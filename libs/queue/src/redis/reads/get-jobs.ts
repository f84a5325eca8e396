import type { Job } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';

import { parseJob } from './job-record.js';
import { pipelined } from './pipelined.js';

/**
 * Reads whole jobs, in the order asked for; undefined for what is not there.
 * @throws {CorruptRecordError} when one cannot be read
 */
export async function getJobs(
  redis: RedisClient,
  base: string,
  pool: string,
  ulids: readonly string[],
): Promise<(Job | undefined)[]> {
  if (ulids.length === 0) {
    return [];
  }
  const answers = await pipelined(redis, (pipeline) => {
    for (const ulid of ulids) {
      pipeline.hgetall(`${base}j:${ulid}`).lrange(`${base}h:${ulid}`, 0, -1);
    }
  });
  return ulids.map((ulid, i) => {
    const hash = answers[2 * i] as Record<string, string>;
    const history = answers[2 * i + 1] as string[];
    return Object.keys(hash).length === 0 ? undefined : parseJob({ pool, ulid }, hash, history);
  });
}
