import { type Job, type JobAddress, parseJobId } from '@orchestrator/core';
import type { QueueStore } from '@orchestrator/queue';

import { ProblemError } from './problem.js';

/** @throws {ProblemError} 404: what cannot be a job's id names no job. */
export function requireAddress(id: string): JobAddress {
  const address = parseJobId(id);
  if (address === undefined) {
    throw jobNotFound(id);
  }
  return address;
}

/** @throws {ProblemError} 404 */
export async function requireJob(store: Pick<QueueStore, 'getJobs'>, { pool, ulid }: JobAddress): Promise<Job> {
  const [job] = await store.getJobs(pool, [ulid]);
  if (job === undefined) {
    throw jobNotFound(`${pool}:${ulid}`);
  }
  return job;
}

export function jobNotFound(id: string): ProblemError {
  return new ProblemError(
    'job-not-found',
    `there is no job ${JSON.stringify(id.slice(0, 200))}, or it is no longer kept`,
  );
}
