import { overlaps, readTicks, tickJob } from './harness/ticks.js';
import { letPass, waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

/** Longer than its lease (12 s) and its death (15 s). */
const STOPPED_FOR_MS = 20_000;
/** It wakes, hears that its session is dead, and kills. */
const KILLED_WITHIN_MS = 5_000;

describe('a worker that is stopped and goes on', () => {
  it.each([
    { onLeaseLost: 'freeze', given: {}, isThereWhileStopped: true },
    { onLeaseLost: 'kill', given: { onLeaseLost: 'kill' }, isThereWhileStopped: false },
  ])(
    '$onLeaseLost: has its job run elsewhere once, without overlap, and nothing of its own attempt is left',
    ({ given, isThereWhileStopped }) =>
      withCluster({ workers: ['worker-1'] }, async (cluster) => {
        const ticks = cluster.file('ticks');
        const { id } = await cluster.api.submit({ ...tickJob(ticks, 16), ...given });
        await waitUntil('the job ticks', () => readTicks(ticks).length > 3, { withinMs: 10_000 });
        await cluster.startWorker('worker-2');
        const stopped = cluster.workerNamed('worker-1');
        const shell = readTicks(ticks)[0]?.pid ?? 0;

        stopped.signal('SIGSTOP');
        await letPass(STOPPED_FOR_MS);
        const isThere = isAlive(shell);
        const whileStopped = readTicks(ticks).filter(({ attempt }) => attempt === 1).length;
        stopped.signal('SIGCONT');
        await waitUntil('nothing of the first attempt is left', () => !isAlive(shell), { withinMs: KILLED_WITHIN_MS });
        const job = await cluster.api.finalJob(id, 40_000);

        expect(isThere).toBe(isThereWhileStopped);
        expect(readTicks(ticks).filter(({ attempt }) => attempt === 1)).toHaveLength(whileStopped);
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
      }),
  );
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
