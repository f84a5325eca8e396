import { type JobView, leftovers, waitUntil } from '@orchestrator/e2e';

import type { Run } from '../workload.js';
import type { Product } from './product.js';

const QUIET_WITHIN_MS = 10_000;

/**
 * What must be so after a round: each job that was submitted has a record, succeeded, at its first start, with one attempt
 * in its history; nothing waits, runs, or is owned. Answers the records, newest first.
 */
export async function checkProduct(
  product: Product,
  { redis }: Run,
  expected: number,
  withinMs = QUIET_WITHIN_MS,
): Promise<JobView[]> {
  const sessions = (await product.workers()).length;
  const left = async (): Promise<string[]> =>
    (await Promise.all(product.pools.map((pool) => leftovers(redis.client, sessions, pool)))).flat();
  await waitUntil('nothing is left in Redis', async () => (await left()).length === 0, { withinMs }).catch(
    async (error: unknown) => {
      throw new Error(`left in Redis: ${(await left()).join('; ')}`, { cause: error });
    },
  );
  const jobs = await product.api.jobs();
  if (jobs.length !== expected) {
    throw new Error(`${jobs.length} jobs are recorded, ${expected} were submitted`);
  }
  const wrong = jobs.filter(
    (job) => job.state !== 'succeeded' || job.attempt !== 1 || job.workerLosses !== 0 || job.history.length !== 1,
  );
  if (wrong.length > 0) {
    throw new Error(`${wrong.length} jobs did not succeed at their first start: ${JSON.stringify(wrong.slice(0, 3))}`);
  }
  return jobs;
}

/** When the last of them was recorded, by the clock of Redis, which is that of this machine. */
export function lastEndMs(jobs: readonly JobView[]): number {
  return jobs.reduce((latest, { finishedAt }) => Math.max(latest, Date.parse(finishedAt ?? '')), 0);
}
