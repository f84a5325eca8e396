import { processesOfWorker } from './harness/processes.js';
import { overlaps, readTicks, tickJob } from './harness/ticks.js';
import { waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

describe('a second worker with the same id', () => {
  it('takes its place: the first stops with exit 4, and its job goes on there for free, without overlap', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const ticks = cluster.file('ticks');
      const first = cluster.workerNamed('worker-1');
      const { id } = await cluster.api.submit(tickJob(ticks, 4));
      await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });

      const second = cluster.launchWorker('worker-1');
      const exit = await first.ended();
      const job = await cluster.api.finalJob(id, 20_000);

      expect(exit).toEqual({ code: 4, signal: null });
      expect(second.exit).toBeUndefined();
      expect(job).toMatchObject({ state: 'succeeded', workerLosses: 0, attempt: 2 });
      expect(overlaps(readTicks(ticks))).toEqual([]);
      second.signal('SIGTERM');
      expect(await second.ended()).toEqual({ code: 0, signal: null });
      expect([...processesOfWorker(first.pid), ...processesOfWorker(second.pid)]).toEqual([]);
    }));
});
