import { letPass } from '../../harness/wait.js';
import { aroundFault, commandsRun, span } from '../measure.js';
import { requireThat, type Scenario, type ScenarioContext } from '../scenario.js';

/** Longer than the lease (12 s) and the time until a worker is declared dead (15 s). */
const STOPPED_MS = 20_000;
const REASSIGNED_WITHIN_MS = 20_000;
/** Heartbeats are sent every 3 s, so 12 s of lease are over 9 to 12 s after the stop. */
const SILENT_AFTER_MS = 12_500;
const LONG_JOB_MS = 16_000;

/** SIGSTOP of the worker's process alone, past its lease: its executor keeps the promise. */
function stoppedFor20s(onLeaseLost: 'freeze' | 'kill'): Scenario {
  return {
    id: onLeaseLost === 'freeze' ? 'P2' : 'P2-kill',
    title: `a worker stopped for 20 s, then continued (onLeaseLost: ${onLeaseLost})`,
    promise:
      'its commands do nothing from the end of the lease on; the jobs run elsewhere later than that; its late results change nothing',
    quick: false,
    async run(context) {
      const fields = onLeaseLost === 'freeze' ? {} : { onLeaseLost };
      const cluster = await withLongJobs(context, fields);
      const stopped = context.recorder.fault({
        what: 'SIGSTOP',
        target: 'worker-1',
        mayLose: ['worker-1'],
        reassignedWithinMs: REASSIGNED_WITHIN_MS,
      });
      cluster.worker('worker-1').signal('SIGSTOP');
      await letPass(STOPPED_MS);
      context.recorder.fault({ what: 'SIGCONT', target: 'worker-1' });
      cluster.worker('worker-1').signal('SIGCONT');
      const { history, losses, text } = await context.conclude();

      const { lastLineMs, restartMs } = aroundFault(history, stopped);
      requireThat(losses === 4, `${losses} attempts were lost: expected the 4 that ran`);
      requireThat(lastLineMs <= SILENT_AFTER_MS, `a command wrote ${lastLineMs} ms after the stop: its lease was over`);
      await cluster.workerIs('worker-1', 'alive', 15_000);
      return `${text}; last line ${lastLineMs} ms after the stop; again after ${span(restartMs)}; no overlap`;
    },
  };
}

const stoppedFor8s: Scenario = {
  id: 'P3',
  title: 'a worker stopped for 8 s, then continued',
  promise: 'nothing is reassigned, every job runs once',
  quick: true,
  async run(context) {
    const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1'] });
    const client = context.client();
    await Promise.all(Array.from({ length: 4 }, () => client.submit({ ms: 3_000 })));
    await commandsRun(context.recorder, 'worker-1', 4);
    context.recorder.fault({ what: 'SIGSTOP', target: 'worker-1' });
    cluster.worker('worker-1').signal('SIGSTOP');
    await letPass(8_000);
    cluster.worker('worker-1').signal('SIGCONT');
    const { jobs, starts, text } = await context.conclude();
    requireThat(starts === jobs, `${jobs} jobs started ${starts} times`);
    return text;
  },
};

/** Worker, executor, guard and commands: nothing of it runs, and nothing of it can keep a promise meanwhile. */
const hostSuspended: Scenario = {
  id: 'P4',
  title: 'a whole host suspended for 20 s, then resumed',
  promise: 'the jobs run elsewhere; what wakes is ended within a second; its results change nothing',
  quick: false,
  async run(context) {
    const cluster = await withLongJobs(context, {});
    const worker = cluster.worker('worker-1');
    const stopped = context.recorder.fault({
      what: 'suspension of its host',
      target: 'worker-1',
      mayLose: ['worker-1'],
      reassignedWithinMs: REASSIGNED_WITHIN_MS,
    });
    worker.freezeHost();
    await letPass(STOPPED_MS);
    const resumed = context.recorder.fault({ what: 'its host resumes', target: 'worker-1', mayOverlapMs: 1_000 });
    worker.thawHost();
    const { history, losses, text } = await context.conclude();

    const { restartMs } = aroundFault(history, stopped);
    const woke = history.lines.filter((line) => line.worker === 'worker-1' && line.atMs >= resumed.atMs);
    const after = woke.map((line) => line.atMs - resumed.atMs);
    requireThat(losses === 4, `${losses} attempts were lost: expected the 4 that ran`);
    await cluster.workerIs('worker-1', 'alive', 15_000);
    const wrote = after.length === 0 ? 'nothing was written' : `the last line was written ${Math.max(...after)} ms`;
    return `${text}; again after ${span(restartMs)}; ${wrote} after the host resumed`;
  },
};

async function withLongJobs(
  context: ScenarioContext,
  fields: Record<string, unknown>,
): ReturnType<ScenarioContext['cluster']> {
  const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1'] });
  const client = context.client();
  await Promise.all(Array.from({ length: 4 }, () => client.submit({ ms: LONG_JOB_MS, fields })));
  await commandsRun(context.recorder, 'worker-1', 4);
  await cluster.startWorker('worker-2');
  return cluster;
}

export const workerStops: readonly Scenario[] = [
  stoppedFor20s('freeze'),
  stoppedFor20s('kill'),
  stoppedFor8s,
  hostSuspended,
];
