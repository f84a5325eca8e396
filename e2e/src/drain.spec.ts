import { processesOfWorker } from './harness/processes.js';
import { overlaps, readTicks, tickJob } from './harness/ticks.js';
import { letPass, waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

/** Two signals within a moment are one Ctrl-C that came twice. */
const SAME_REQUEST_MS = 500;

describe('SIGTERM', () => {
  it('lets a worker finish what runs, take nothing new, and exit 0', () =>
    withCluster({ workers: ['worker-1'], slots: 1 }, async (cluster) => {
      const ticks = cluster.file('ticks');
      const running = await cluster.api.submit(tickJob(ticks, 2));
      const waiting = await cluster.api.submit({ command: 'echo later' });
      await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });

      cluster.workerNamed('worker-1').signal('SIGTERM');
      const exit = await cluster.workerNamed('worker-1').ended();

      expect(exit).toEqual({ code: 0, signal: null });
      expect(await cluster.api.job(running.id)).toMatchObject({ state: 'succeeded', attempt: 1, workerLosses: 0 });
      expect(await cluster.api.job(waiting.id)).toMatchObject({ state: 'queued', attempt: 0 });
      expect(processesOfWorker(cluster.workerNamed('worker-1').pid)).toEqual([]);
    }));

  it('hands back what is not done after drainTimeout, at once and without counting a loss', () =>
    withCluster({ workers: [], slots: 1 }, async (cluster) => {
      const ticks = cluster.file('ticks');
      const first = await cluster.startWorker('worker-1', { slots: 1, args: ['--drain-timeout=1s'] });
      const { id } = await cluster.api.submit(tickJob(ticks, 4));
      await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });
      await cluster.startWorker('worker-2', { slots: 1 });

      first.signal('SIGTERM');
      const exit = await first.ended();
      const job = await cluster.api.finalJob(id, 20_000);

      expect(exit).toEqual({ code: 0, signal: null });
      expect(job).toMatchObject({ state: 'succeeded', workerLosses: 0, attempt: 2, worker: 'worker-2' });
      expect(job.history[0]).toMatchObject({ outcome: 'returned', worker: 'worker-1' });
      expect(overlaps(readTicks(ticks))).toEqual([]);
    }));

  it('ends a worker at once on the second signal, exit 1', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const ticks = cluster.file('ticks');
      await cluster.api.submit(tickJob(ticks, 60));
      await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });
      const worker = cluster.workerNamed('worker-1');

      worker.signal('SIGTERM');
      await waitUntil('it drains', () => /drain/i.test(worker.output), { withinMs: 5_000 });
      await letPass(SAME_REQUEST_MS);
      worker.signal('SIGTERM');

      expect(await worker.ended(5_000)).toEqual({ code: 1, signal: null });
    }));

  it('ends a scheduler with exit 0 while its worker runs a job, which the next scheduler sees finished', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const ticks = cluster.file('ticks');
      const { id } = await cluster.api.submit(tickJob(ticks, 3));
      await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });

      cluster.scheduler.signal('SIGTERM');
      const exit = await cluster.scheduler.ended();
      await cluster.startScheduler();
      const job = await cluster.api.finalJob(id, 20_000);

      expect(exit).toEqual({ code: 0, signal: null });
      expect(job).toMatchObject({ state: 'succeeded', attempt: 1, workerLosses: 0 });
    }));
});
