import type { Cluster } from './harness/cluster.js';
import { executorOf, processesOfWorker } from './harness/processes.js';
import type { Program } from './harness/program.js';
import { gapMs, overlaps, readTicks, tickJob } from './harness/ticks.js';
import { waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

/** Declared dead 15 s after the last renewal, looked at every second, plus a poll. */
const SILENT_DEATH_WITHIN_MS = 17_000;
const CRASH_REASSIGNED_WITHIN_MS = 3_000;
const PROCESSES_GONE_WITHIN_MS = 1_000;
const GUARD_WITHIN_MS = 2_000;

/** A job that ticks on one of two workers, and which has it. */
async function tickingJob(cluster: Cluster, seconds: number): Promise<Ticking> {
  const ticks = cluster.file('ticks');
  const { id } = await cluster.api.submit(tickJob(ticks, seconds));
  await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });
  const { worker } = await cluster.api.job(id);
  const victim = cluster.workerNamed(worker ?? 'nobody');
  return { id, ticks, victim, other: victim.name === 'worker-1' ? 'worker-2' : 'worker-1' };
}

interface Ticking {
  id: string;
  ticks: string;
  victim: Program;
  other: string;
}

const WORKERS = ['worker-1', 'worker-2'];

describe('the loss of a worker', () => {
  it('runs the job of a worker that was killed on another one, and counts one loss and no attempt', () =>
    withCluster({ workers: WORKERS }, async (cluster) => {
      const { id, ticks, victim, other } = await tickingJob(cluster, 3);

      victim.signal('SIGKILL');
      await waitUntil('no process of it is left', () => processesOfWorker(victim.pid).length === 0, {
        withinMs: PROCESSES_GONE_WITHIN_MS,
        everyMs: 10,
      });
      await cluster.api.jobWhen(id, `running on ${other}`, (job) => job.worker === other, CRASH_REASSIGNED_WITHIN_MS);
      const job = await cluster.api.finalJob(id, 15_000);

      expect(job).toMatchObject({ state: 'succeeded', workerLosses: 1, attempt: 2, attempts: 1, worker: other });
      expect(job.history.map(({ outcome, worker }) => [outcome, worker])).toEqual([
        ['lost', victim.name],
        ['succeeded', other],
      ]);
      expect(await cluster.api.logs(id)).toBe('done\n');
      expect(overlaps(readTicks(ticks))).toEqual([]);
    }));

  it('moves the job within 17 s when worker and executor are killed together, without overlap', () =>
    withCluster({ workers: WORKERS }, async (cluster) => {
      const { id, ticks, victim, other } = await tickingJob(cluster, 4);
      const executor = executorOf(victim.pid);
      expect(executor).toBeDefined();

      // Stopped first: so neither sees the other one die.
      process.kill(executor?.pid ?? 0, 'SIGSTOP');
      victim.signal('SIGKILL');
      process.kill(executor?.pid ?? 0, 'SIGKILL');
      await waitUntil('the guard ended the command', () => processesOfWorker(victim.pid).length === 0, {
        withinMs: GUARD_WITHIN_MS,
        everyMs: 10,
      });
      await cluster.api.jobWhen(id, `running on ${other}`, (job) => job.worker === other, SILENT_DEATH_WITHIN_MS);
      const job = await cluster.api.finalJob(id, 15_000);

      expect(job).toMatchObject({ state: 'succeeded', workerLosses: 1, attempt: 2, worker: other });
      expect(overlaps(readTicks(ticks))).toEqual([]);
      expect(gapMs(readTicks(ticks), 1, 2)).toBeLessThan(SILENT_DEATH_WITHIN_MS);
    }));

  it('fails a command that kills its worker as worker_lost after maxWorkerLosses, and the others all succeed', () =>
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
    }));
});
