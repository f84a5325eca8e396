import { executorOf, processesOfWorker, processesWith } from './harness/processes.js';
import { gapMs, overlaps, readTicks, tickJob } from './harness/ticks.js';
import { waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

/** Declared dead 15 s after the last renewal, looked at every second, plus a poll. */
const SILENT_DEATH_WITHIN_MS = 17_000;
const CRASH_REASSIGNED_WITHIN_MS = 3_000;
const PROCESSES_GONE_WITHIN_MS = 1_000;

describe('the loss of a worker', () => {
  it('runs the job of a worker that was killed on another one, and counts one loss and no attempt', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const ticks = cluster.file('ticks');
      const { id } = await cluster.api.submit({ ...tickJob(ticks, 3), name: 'survivor' });
      const victim = await waitUntil('the job ticks on worker-1', () => readTicks(ticks).length > 3, {
        withinMs: 10_000,
      })
        .then(() => cluster.startWorker('worker-2'))
        .then(() => cluster.workerNamed('worker-1'));

      victim.signal('SIGKILL');
      await waitUntil(
        'no process of it is left',
        () =>
          processesOfWorker('worker-1').length === 0 &&
          processesWith(`TICKS=${ticks}`).every((each) => each.environment.includes('=worker-2/')),
        { withinMs: PROCESSES_GONE_WITHIN_MS, everyMs: 10 },
      );
      await cluster.api.jobWhen(
        id,
        'running on worker-2',
        (job) => job.worker === 'worker-2',
        CRASH_REASSIGNED_WITHIN_MS,
      );
      const job = await cluster.api.finalJob(id, 15_000);

      expect(job).toMatchObject({ state: 'succeeded', workerLosses: 1, attempt: 2, attempts: 1, worker: 'worker-2' });
      expect(job.history.map(({ outcome, worker }) => [outcome, worker])).toEqual([
        ['lost', 'worker-1'],
        ['succeeded', 'worker-2'],
      ]);
      expect(await cluster.api.logs(id)).toBe('done\n');
      expect(overlaps(readTicks(ticks))).toEqual([]);
    }));

  it('moves the job within 17 s when worker and executor are killed together, without overlap', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const ticks = cluster.file('ticks');
      const { id } = await cluster.api.submit(tickJob(ticks, 4));
      await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });
      await cluster.startWorker('worker-2');
      const executor = executorOf('worker-1');
      expect(executor).toBeDefined();

      process.kill(executor?.pid ?? 0, 'SIGSTOP');
      cluster.workerNamed('worker-1').signal('SIGKILL');
      process.kill(executor?.pid ?? 0, 'SIGKILL');
      await waitUntil('the guard ended the command', () => processesOfWorker('worker-1').length === 0, {
        withinMs: 2_000,
        everyMs: 10,
      });
      await cluster.api.jobWhen(id, 'running on worker-2', (job) => job.worker === 'worker-2', SILENT_DEATH_WITHIN_MS);
      const job = await cluster.api.finalJob(id, 15_000);

      expect(job).toMatchObject({ state: 'succeeded', workerLosses: 1, attempt: 2, worker: 'worker-2' });
      expect(overlaps(readTicks(ticks))).toEqual([]);
      expect(gapMs(readTicks(ticks), 1, 2)).toBeLessThan(SILENT_DEATH_WITHIN_MS);
    }));

  it(
    'fails a command that kills its worker as worker_lost after maxWorkerLosses, and the others all succeed',
    () =>
      withCluster({ workers: ['worker-1'] }, async (cluster) => {
        const poison = await cluster.api.submit({
          name: 'poison',
          command: 'kill -9 "$(cat "$PIDFILE.$ORCHESTRATOR_WORKER_ID")"; sleep 30',
          env: { PIDFILE: cluster.file('pid') }, // Cluster writes pid.<worker id>
          maxWorkerLosses: 3,
          priority: 10,
        });
        const others = await cluster.api.submitBatch(
          Array.from({ length: 20 }, (_, n) => ({ name: `innocent-${n}`, command: 'sleep 0.2' })),
        );
        const stopReplacing = cluster.replaceDeadWorkers();

        const failed = await cluster.api.finalJob(poison.id, 60_000);
        const batch = await waitUntil(
          'the others are done',
          async () => {
            const answer = await cluster.api.batch(others.batchId);
            return answer.done && answer;
          },
          { withinMs: 60_000 },
        );
        await stopReplacing();

        expect(failed).toMatchObject({ state: 'failed', workerLosses: 3, failure: { reason: 'worker_lost' } });
        expect(batch.counts).toMatchObject({ succeeded: 20, failed: 0 });
      }),
    150_000,
  );
});
