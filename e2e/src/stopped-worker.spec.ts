import { overlaps, readTicks, tickJob } from './harness/ticks.js';
import { letPass, waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

/** Longer than its lease (12 s) and its death (15 s). */
const STOPPED_FOR_MS = 20_000;

describe('a worker that is stopped and goes on', () => {
  it('has its job run elsewhere once, without overlap, and its own result is not accepted', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const ticks = cluster.file('ticks');
      const { id } = await cluster.api.submit(tickJob(ticks, 16));
      await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });
      await cluster.startWorker('worker-2');
      const stopped = cluster.workerNamed('worker-1');

      stopped.signal('SIGSTOP');
      await letPass(STOPPED_FOR_MS);
      stopped.signal('SIGCONT');
      const job = await cluster.api.finalJob(id, 40_000);

      expect(job).toMatchObject({ state: 'succeeded', worker: 'worker-2', attempt: 2, workerLosses: 1 });
      expect(job.history.filter(({ outcome }) => outcome === 'succeeded')).toHaveLength(1);
      expect(overlaps(readTicks(ticks))).toEqual([]);
      expect(await cluster.api.logs(id)).toBe('done\n');
      await waitUntil(
        'worker-1 is back as a new session',
        async () => {
          return (await cluster.api.workers()).some((each) => each.id === 'worker-1' && each.state === 'alive');
        },
        { withinMs: 15_000 },
      );
    }));
});
