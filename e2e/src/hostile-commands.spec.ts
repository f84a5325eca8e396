import { memoryOf, processesWith } from './harness/processes.js';
import { waitUntil } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';
import type { Cluster } from './harness/cluster.js';

const MEGABYTE = 1_000_000;
/** What a worker may grow by while 200 MB run through it: garbage, but not the output. */
const MAY_GROW_MIB = 60;
const SWEPT_WITHIN_MS = 3_000;

async function nothingIsLeftOf(mark: string): Promise<void> {
  await waitUntil(`no process with ${mark} is left`, () => processesWith(mark).length === 0, {
    withinMs: SWEPT_WITHIN_MS,
  });
}

/** Highest resident memory of the worker's own process while `work` goes on. */
async function peakMemory(cluster: Cluster, work: () => Promise<void>): Promise<{ before: number; peak: number }> {
  const { pid } = cluster.workerNamed('worker-1');
  const before = memoryOf(pid);
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, memoryOf(pid))), 50);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  return { before, peak };
}

describe('hostile commands', () => {
  it('keeps 200 MB of output in one line to its cap, with the memory of the worker flat', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      await cluster.api.finalJob((await cluster.api.submit({ command: 'echo warm' })).id, 10_000);

      const memory = await peakMemory(cluster, async () => {
        const { id } = await cluster.api.submit({
          command: `head -c ${200 * MEGABYTE} /dev/zero | tr '\\0' x`,
          timeout: 60,
        });
        const job = await cluster.api.finalJob(id, 60_000);
        const logs = await cluster.api.logs(id);

        expect(job).toMatchObject({ state: 'succeeded', output: { stdoutBytes: 200 * MEGABYTE, truncated: true } });
        expect(Buffer.byteLength(logs)).toBeGreaterThan(128 * 1_024);
        expect(Buffer.byteLength(logs)).toBeLessThan(300 * 1_024);
        expect(logs.startsWith('xxxx')).toBe(true);
        expect(logs.trimEnd().endsWith('xxxx')).toBe(true);
      });

      expect(memory.peak - memory.before).toBeLessThan(MAY_GROW_MIB);
    }));

  it('ends with the command although a setsid grandchild holds its pipe, and ends the grandchild, too', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const since = performance.now();
      const { id } = await cluster.api.submit({
        command: 'setsid sh -c "echo grandchild; sleep 300" & sleep 0.3; echo parent',
        env: { E2E: `${cluster.folder}/setsid` },
      });
      const job = await cluster.api.finalJob(id, 10_000);

      expect(job).toMatchObject({ state: 'succeeded', exitCode: 0 });
      expect(performance.now() - since).toBeLessThan(5_000);
      expect((await cluster.api.logs(id)).split('\n').sort()).toEqual(['', 'grandchild', 'parent']);
      await nothingIsLeftOf(`E2E=${cluster.folder}/setsid`);
    }));

  it('kills a command that ignores SIGTERM after its grace, with all that it started', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const { id } = await cluster.api.submit({
        command: `trap '' TERM; (trap '' TERM; sleep 300) & while :; do sleep 1; done`,
        env: { E2E: `${cluster.folder}/trap` },
        timeout: 1,
        killGrace: 1,
      });
      const job = await cluster.api.finalJob(id, 10_000);

      expect(job).toMatchObject({ state: 'failed', failure: { reason: 'timeout' }, signal: 'SIGKILL' });
      await nothingIsLeftOf(`E2E=${cluster.folder}/trap`);
    }));

  it('cancels a command that ignores SIGTERM', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const { id } = await cluster.api.submit({
        command: `trap '' TERM; while :; do sleep 1; done`,
        env: { E2E: `${cluster.folder}/cancel` },
        killGrace: 1,
      });
      await cluster.api.jobWhen(id, 'running', (job) => job.state === 'running', 10_000);

      expect((await cluster.api.cancel(id)).status).toBe(202);
      expect((await cluster.api.cancel(id)).status).toBe(202);

      expect(await cluster.api.finalJob(id, 10_000)).toMatchObject({ state: 'cancelled' });
      await nothingIsLeftOf(`E2E=${cluster.folder}/cancel`);
    }));

  it.each([
    ['a program that does not exist', { argv: ['/nowhere/to/be/found', 'x'] }],
    ['a file that may not be run', { argv: ['/etc/passwd'] }],
    ['a folder that does not exist', { command: 'true', cwd: '/nowhere/to/be/found' }],
  ])('fails %s as spawn_error, and says which', (_, job) =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const { id } = await cluster.api.submit(job);

      const failed = await cluster.api.finalJob(id, 10_000);

      expect(failed).toMatchObject({ state: 'failed', failure: { reason: 'spawn_error' }, workerLosses: 0 });
      expect(failed.failure?.message).toMatch(/nowhere|passwd/);
    }),
  );

  it('leaves nothing of any of them behind when the worker ends', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const mark = `E2E=${cluster.folder}/left`;
      const job = { env: { E2E: `${cluster.folder}/left` }, timeout: 60 };
      await cluster.api.submit({ ...job, command: 'setsid sleep 300 & setsid setsid sleep 300 & sleep 300' });
      await cluster.api.submit({ ...job, command: 'timeout 300 sleep 300' });
      await waitUntil('they run', () => processesWith(mark).length >= 5, { withinMs: 10_000 });

      cluster.workerNamed('worker-1').signal('SIGKILL');

      await nothingIsLeftOf(mark);
    }));
});
