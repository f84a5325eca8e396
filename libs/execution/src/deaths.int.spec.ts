import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@orchestrator/core';
import { GoneReason, type GoneRequest, WorkerServiceDefinition } from '@orchestrator/proto-types';
import { silentLogger } from '@orchestrator/telemetry';
import { createServer } from 'nice-grpc';

import { builtEntry } from './built-entry.js';
import { endLeftovers } from './leftovers.js';
import { isAlive, readStat } from './proc.js';
import { eventually, startExecutor, stopExecutors } from './testing/executor-harness.js';
import { startWorkerProcess, stopWorkerProcesses } from './testing/worker-process.js';

afterEach(stopExecutors);
afterEach(stopWorkerProcesses);

const TREE = { command: 'setsid sleep 100 & timeout 100 sleep 100 & sleep 100' };

describe('ExecutorProcess: the executor dies', () => {
  it('has the guard kill everything, reports the attempts as lost and goes on with another one', async () => {
    const { executor, executorLost, marked, run, runToEnd, started } = await startExecutor();
    const lost = executorLost();
    const attempt = run(TREE);
    await started(attempt);

    process.kill(executor.pid ?? 0, 'SIGKILL');

    expect(await lost).toEqual({ attemptIds: [attempt], detail: expect.stringContaining('SIGKILL') });
    expect(marked()).toEqual([]);
    expect((await runToEnd({ command: 'echo again' })).outcome).toBe('succeeded');
  });

  it('delivers the ends that it had reported', async () => {
    const { ends, executor, executorLost, run, runToEnd } = await startExecutor();
    const lost = executorLost();
    const ended = await runToEnd({ command: `true` });
    const attempt = run({ command: 'sleep 100' });

    process.kill(executor.pid ?? 0, 'SIGKILL');

    expect((await lost).attemptIds).toEqual([attempt]);
    expect(ends.map(({ attemptId }) => attemptId)).toEqual([ended.attemptId]);
  });

  it('replaces one that does not answer for three seconds; what is assigned meanwhile waits', async () => {
    const { ended, executor, executorLost, run, started } = await startExecutor();
    const lost = executorLost();
    const attempt = run(TREE);
    await started(attempt);
    const before = executor.pid;

    process.kill(before ?? 0, 'SIGSTOP');

    expect((await lost).attemptIds).toEqual([attempt]);
    const waiting = run({ command: 'true' });
    expect((await ended(waiting)).outcome).toBe('succeeded');
    expect(executor.pid).not.toBe(before);
  });

  it('hands back what it cannot run while no executor starts, and goes on when one does', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'executor-'));
    const entry = join(directory, 'entry.cjs');
    const works = `require(${JSON.stringify(builtEntry('executor-main'))})`;
    writeFileSync(entry, works);
    try {
      const { executor, executorLost, run, runToEnd } = await startExecutor({ entry });
      writeFileSync(entry, 'process.exit(3)');
      const emptyHanded = executorLost();
      process.kill(executor.pid ?? 0, 'SIGKILL');
      await emptyHanded;

      const lost = executorLost();
      const attempt = run({ command: 'true' });

      expect(await lost).toEqual({ attemptIds: [attempt], detail: expect.stringContaining('code 3') });
      writeFileSync(entry, works);
      expect((await runToEnd({ command: 'echo again' })).outcome).toBe('succeeded');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('gives a new executor a new guard when the guard dies', async () => {
    const { marked, session } = await startExecutor();
    const guards = (): number[] => marked().flatMap(({ mark, pid }) => (mark.endsWith('/@guard') ? [pid] : []));
    const [first = 0] = guards();

    process.kill(first, 'SIGKILL');

    await eventually(2_000, () => guards().length === 1 && guards()[0] !== first);
    expect(session).not.toBe('');
  });

  it('says so when there is no executor to start', async () => {
    await expect(startExecutor({ entry: '/no/such.js' })).rejects.toThrow(/the executor ended with code 1.*no\/such/s);
  });
});

describe('ExecutorProcess: the worker dies', () => {
  it('kills everything within a second and tells a scheduler, the first one that hears', async () => {
    const gone: (GoneRequest & { authorization: string | undefined })[] = [];
    const server = createServer();
    server.add(WorkerServiceDefinition, {
      connect: notUsed,
      output: notUsed,
      gone: async (request, context) => {
        gone.push({ ...request, authorization: context.metadata.get('authorization') });
        return Promise.resolve({});
      },
    });
    const port = await server.listen('127.0.0.1:0');
    const worker = await startWorkerProcess([TREE, TREE], {
      lastWill: { addresses: ['127.0.0.1:1', `127.0.0.1:${port}`], joinToken: 'token' },
    });

    worker.child.kill('SIGKILL');

    await eventually(1_000, () => worker.commands().length === 0);
    const [will] = await eventually(5_000, () => gone.length > 0 && gone);
    expect(will).toMatchObject({
      workerId: 'worker-1',
      session: worker.session,
      reason: GoneReason.PROCESS_ENDED,
      authorization: 'Bearer token',
    });
    await eventually(3_000, () => worker.marked().length === 0);
    expect(gone).toHaveLength(1);
    await server.shutdown();
  });

  it('kills everything when worker and executor die together: the guard does it', async () => {
    const worker = await startWorkerProcess([TREE, TREE]);

    worker.child.kill('SIGKILL');
    process.kill(worker.executorPid, 'SIGKILL');

    await eventually(1_500, () => worker.marked().length === 0);
  });

  it('has a guard that needs no grep', async () => {
    const bin = mkdtempSync(join(tmpdir(), 'no-grep-'));
    ['sleep', 'rm'].forEach((name) => symlinkSync(`/bin/${name}`, join(bin, name)));
    const worker = await startWorkerProcess([{ command: 'sleep 100 & sleep 100' }], { environment: { PATH: bin } });

    worker.child.kill('SIGKILL');
    process.kill(worker.executorPid, 'SIGKILL');

    await eventually(3_000, () => worker.marked().length === 0);
    rmSync(bin, { recursive: true });
  });

  it('kills the commands of a stopped worker when the lease runs out', async () => {
    const worker = await startWorkerProcess([TREE], { leaseMs: 1_500 });

    worker.child.kill('SIGSTOP');

    await eventually(4_000, () => worker.commands().length === 0);
    expect(readStat(worker.pid)?.state).toBe('T');
  });

  it('kills a worker that has not reported its handlers as ended one second after the lease', async () => {
    const worker = await startWorkerProcess([], { leaseMs: 500, handlers: true });

    worker.child.kill('SIGSTOP');

    const [, signal] = (await once(worker.child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
  });
});

describe('endLeftovers', () => {
  it('ends what a dead worker process of this id left, its stopped executor and guard included', async () => {
    const worker = await startWorkerProcess([TREE]);
    await eventually(2_000, () => worker.commands().length > 3);
    const guard = worker.marked().find(({ mark }) => mark.endsWith('/@guard'))?.pid ?? 0;
    process.kill(worker.executorPid, 'SIGSTOP');
    process.kill(guard, 'SIGSTOP');
    worker.child.kill('SIGKILL');
    await once(worker.child, 'exit');

    const ended = await endLeftovers({ workerId: 'worker-1', clock: systemClock, logger: silentLogger, graceMs: 100 });

    expect(ended).toBeGreaterThan(4);
    expect(worker.marked()).toEqual([]);
  });

  it('leaves alone what belongs to a living worker process or to another id', async () => {
    const { run, started } = await startExecutor();
    const pid = await started(run({ command: 'sleep 100' }));
    const other = await startWorkerProcess([TREE], { workerId: 'worker-2' });

    const ended = await endLeftovers({ workerId: 'worker-1', clock: systemClock, logger: silentLogger, graceMs: 0 });

    expect(ended).toBe(0);
    expect(isAlive({ pid, startTime: readStat(pid)?.startTime ?? '' })).toBe(true);
    expect(other.commands().length).toBeGreaterThan(0);
  });
});

function notUsed(): AsyncIterable<never> {
  throw new Error('not used');
}
