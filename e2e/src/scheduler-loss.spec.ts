import { readTicks, tickJob } from './harness/ticks.js';
import { letPass, waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

/** Within two heartbeat intervals and well within a lease, as the promise says. */
const AWAY_FOR_MS = 5_000;

describe('the loss of the scheduler', () => {
  it('costs no work: the job finishes once, in its first attempt', () =>
    withCluster({ workers: ['worker-1', 'worker-2'] }, async (cluster) => {
      const ticks = cluster.file('ticks');
      const long = await cluster.api.submit(tickJob(ticks, 12));
      const short = await cluster.api.submit({ command: 'sleep 3; echo finished while nobody listened' });
      const later = await cluster.api.submit({ command: 'echo later', delay: 4 });
      await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });

      await cluster.scheduler.kill();
      await letPass(AWAY_FOR_MS);
      await cluster.startScheduler();

      for (const { id } of [long, short, later]) {
        const job = await cluster.api.finalJob(id, 30_000);
        expect(job).toMatchObject({ state: 'succeeded', attempt: 1, workerLosses: 0 });
      }
      expect(new Set(readTicks(ticks).map((tick) => tick.pid)).size).toBe(1);
      expect(await cluster.api.logs(short.id)).toBe('finished while nobody listened\n');
    }));
});
