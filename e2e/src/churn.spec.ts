import type { Cluster } from './harness/cluster.js';
import { leftovers } from './harness/leftovers.js';
import { letPass, waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

const JOBS = 2_000;
const KILL_EVERY_MS = 4_000;
const WORKERS = 3;
const SLOTS = 4;

/** Kills the oldest worker and starts another, again and again. */
function churn(cluster: Cluster): () => Promise<number> {
  let stopped = false;
  let oldest = 1;
  const loop = (async () => {
    while (!stopped) {
      await letPass(KILL_EVERY_MS);
      cluster.workerNamed(`worker-${oldest}`).signal('SIGKILL');
      await cluster.startWorker(`worker-${oldest + WORKERS}`, { slots: SLOTS });
      oldest += 1;
    }
  })();
  return async () => {
    stopped = true;
    await loop;
    return oldest - 1;
  };
}

describe('workers that come and go', () => {
  it('finish 2,000 jobs, each accepted once, and leave nothing in Redis that belongs to nobody', () =>
    withCluster({ workers: ['worker-1', 'worker-2', 'worker-3'], slots: SLOTS }, async (cluster) => {
      const submitted = await cluster.api.submitBatch(
        Array.from({ length: JOBS }, (_, index) => ({
          name: `churn-${index}`,
          command: 'sleep 0.15; echo "$ORCHESTRATOR_JOB_ID"',
          maxWorkerLosses: 100,
        })),
      );
      const stopChurn = churn(cluster);
      const batch = await waitUntil(
        'all are done',
        async () => {
          const answer = await cluster.api.batch(submitted.batchId);
          return answer.done && answer;
        },
        { withinMs: 240_000, everyMs: 500 },
      );
      const killed = await stopChurn();

      expect(killed).toBeGreaterThan(5);
      expect(batch.counts).toMatchObject({ succeeded: JOBS });
      let losses = 0;
      for (const { id } of submitted.jobs) {
        const job = await cluster.api.job(id);
        losses += job.workerLosses;
        const accepted = job.history.filter(({ outcome }) => outcome === 'succeeded');
        expect({ id, state: job.state, accepted: accepted.length }).toEqual({ id, state: 'succeeded', accepted: 1 });
      }
      expect(losses).toBeGreaterThan(0);
      const sample = submitted.jobs.filter((_, index) => index % 100 === 0);
      for (const { id } of sample) {
        expect(await cluster.api.logs(id)).toBe(`${id}\n`);
      }
      const redis = cluster.redis.client();
      await waitUntil(
        'nothing is left that belongs to nobody',
        async () => {
          return (await leftovers(redis, WORKERS)).length === 0;
        },
        { withinMs: 30_000 },
      ).catch(async (error: unknown) => {
        throw new Error((await leftovers(redis, WORKERS)).join('; '), { cause: error });
      });
    }));
});
