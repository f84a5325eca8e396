import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { eventually, type ExecutorHarness, startExecutor, stopExecutors, toText } from './testing/executor-harness.js';
import { startWorkerProcess, stopWorkerProcesses } from './testing/worker-process.js';

const folder = mkdtempSync(join(tmpdir(), 'scarcity-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(stopExecutors);
afterEach(stopWorkerProcesses);

/** Files that a process may have open from now on; it keeps those that it has. */
function limitFiles(pid: number | undefined, files: number): void {
  execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${files}:`]);
}

const PLENTY = 4_096;

function openFiles({ executor }: ExecutorHarness): number {
  return readdirSync(`/proc/${executor.pid}/fd`).length;
}

/** The directory of its pipes: the guard, which removes it, is told. */
function pipeDirectory({ marked }: ExecutorHarness): string {
  const guard = marked().find(({ mark }) => mark.endsWith('/@guard'))?.pid ?? 0;
  return readFileSync(`/proc/${guard}/cmdline`, 'utf8').split('\0').at(-2) ?? '';
}

describe('ExecutorProcess: no file handles left', () => {
  it('starts a command as soon as there is one again', async () => {
    const harness = await startExecutor();
    limitFiles(harness.executor.pid, openFiles(harness));

    const end = harness.runToEnd({ command: 'echo started' });
    await letPass(300);
    limitFiles(harness.executor.pid, PLENTY);

    expect(toText((await end).output, 'stdout')).toBe('started\n');
  });

  it('gives a command back that it cannot start for a second, and fails none', async () => {
    const harness = await startExecutor();
    const unstarted = harness.unstarted();
    limitFiles(harness.executor.pid, openFiles(harness));

    const attempt = harness.run({ command: 'true' });

    expect(await unstarted).toEqual({ attemptIds: [attempt], detail: expect.stringContaining('EMFILE') });
    expect(harness.ends).toEqual([]);
    limitFiles(harness.executor.pid, PLENTY);
    expect((await harness.runToEnd({ command: 'true' })).outcome).toBe('succeeded');
  });

  it('cancels and kills what waits to be started', async () => {
    const harness = await startExecutor();
    limitFiles(harness.executor.pid, openFiles(harness));
    const cancelled = harness.run({ command: 'true' });
    const killed = harness.run({ command: 'true' });

    harness.executor.cancel(cancelled, 'test');
    await harness.executor.kill(killed);

    expect(await harness.ended(cancelled)).toMatchObject({ outcome: 'cancelled' });
    limitFiles(harness.executor.pid, PLENTY);
    expect((await harness.runToEnd({ command: 'true' })).outcome).toBe('succeeded');
    expect(harness.ends.map(({ attemptId }) => attemptId)).not.toContain(killed);
  });

  it('says that an attempt is dead only when it could look for it', async () => {
    const harness = await startExecutor();
    const { executor, marked } = harness;
    const pid = executor.pid;
    const attempt = harness.run({ command: 'setsid sleep 100 & echo up; sleep 100' });
    await harness.printed(attempt, 'up');
    let isDead = false;

    limitFiles(pid, 3);
    const killing = executor.kill(attempt).then(() => (isDead = true));
    await letPass(500);

    expect(isDead).toBe(false);
    expect(marked().filter(({ mark }) => mark.endsWith(attempt))).not.toEqual([]);
    limitFiles(pid, PLENTY);
    await killing;
    expect(marked().filter(({ mark }) => mark.endsWith(attempt))).toEqual([]);
    expect(executor.pid).toBe(pid);
  });

  it('starts the guard again as soon as it can', async () => {
    const harness = await startExecutor();
    const guards = (): number[] => harness.marked().flatMap(({ mark, pid }) => (mark.endsWith('/@guard') ? [pid] : []));
    const { pid } = harness.executor;

    limitFiles(pid, 3);
    process.kill(guards()[0] ?? 0, 'SIGKILL');
    await letPass(300);
    limitFiles(pid, PLENTY);

    await eventually(2_000, () => guards().length === 1);
    expect(harness.executor.pid).toBe(pid);
  });

  it('does not end the worker, which starts another executor when it can', async () => {
    const worker = await startWorkerProcess([{ command: 'sleep 100' }]);
    const executors = (): number[] =>
      worker.marked().flatMap(({ mark, pid }) => (mark.endsWith('/@executor') ? [pid] : []));

    limitFiles(worker.pid, 3);
    process.kill(worker.executorPid, 'SIGKILL');
    await eventually(2_000, () => executors().length === 0);
    await letPass(300);
    limitFiles(worker.pid, PLENTY);

    await eventually(5_000, () => executors().length === 1);
    expect(worker.child.exitCode).toBeNull();
    expect(worker.commands()).toEqual([]);
  });
});

describe('ExecutorProcess: what commands take from each other', () => {
  it('makes its pipes again when a command has removed them', async () => {
    const harness = await startExecutor();
    const directory = pipeDirectory(harness);
    await harness.runToEnd({ command: 'true' });

    await harness.runToEnd({ argv: ['rm', '-r', directory] });
    const end = await harness.runToEnd({ command: 'cat /dev/stdin; echo err >/dev/stderr', stdin: 'in\n' });

    expect(directory).toContain('orchestrator-pipes-');
    expect([toText(end.output, 'stdout'), toText(end.output, 'stderr')]).toEqual(['in\n', 'err\n']);
  });

  it('leaves no file in its directory, however its commands ended', async () => {
    const harness = await startExecutor();
    const directory = pipeDirectory(harness);

    await harness.runToEnd({ command: 'read line; echo $line', stdin: 'x' });
    await harness.runToEnd({ argv: ['/no/such'], stdin: 'x'.repeat(100_000) });
    limitFiles(harness.executor.pid, openFiles(harness));
    const unstarted = harness.unstarted();
    harness.run({ command: 'true', stdin: 'x' });
    await unstarted;
    limitFiles(harness.executor.pid, PLENTY);

    const names = readdirSync(directory);
    expect(names.filter((name) => !/^\d+$/.test(name))).toEqual([]);
    // Names of pipes made in advance: one batch, or two while the next one is made.
    expect(names.length).toBeLessThanOrEqual(2 * 96);
    await harness.executor.stop();
    expect(() => readdirSync(directory)).toThrow('ENOENT');
  });

  it('gives back what is to run where nothing can be run any more, and starts another executor all the same', async () => {
    const cwd = join(folder, 'cwd');
    mkdirSync(cwd);
    const { executor, executorLost, run, runToEnd, unstarted } = await startExecutor({ cwd });
    const back = unstarted();
    await runToEnd({ argv: ['rmdir', cwd] });

    const attempt = run({ command: 'true' });

    expect(await back).toEqual({ attemptIds: [attempt], detail: expect.stringContaining(`${cwd}" cannot be used`) });
    const lost = executorLost();
    process.kill(executor.pid ?? 0, 'SIGKILL');
    await lost;
    expect((await runToEnd({ command: 'true', cwd: '/' })).outcome).toBe('succeeded');
    mkdirSync(cwd);
    expect((await runToEnd({ command: 'true' })).outcome).toBe('succeeded');
  });

  it('refuses to start with a directory for commands that is not there', async () => {
    await expect(startExecutor({ cwd: '/no/such' })).rejects.toThrow('the directory for commands, "/no/such", cannot');
  });
});

describe('ExecutorProcess: the limits of a program', () => {
  const LIMIT = 128 * 1024;

  it.each([
    ['an argument of 128 KiB', { argv: ['true', 'x'.repeat(LIMIT)] }],
    ['a command of 128 KiB', { command: `: ${'x'.repeat(LIMIT)}` }],
    ['a variable of 128 KiB', { argv: ['true'], env: { BIG: 'x'.repeat(LIMIT) } }],
    ['all together', { argv: ['true', ...Array<string>(20).fill('x'.repeat(LIMIT - 1))] }],
  ])('fails as spawn_error: %s', async (_what, attempt) => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd(attempt);

    expect(end).toMatchObject({ outcome: 'failed', retryable: false });
    expect(end.end.failure).toEqual({ reason: 'spawn_error', message: expect.stringContaining('(E2BIG)') });
  });

  it('starts what is just below them', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({
      argv: ['sh', '-c', 'echo ${#1} ${#BIG}', 'sh', 'x'.repeat(LIMIT - 1)],
      env: { BIG: 'y'.repeat(LIMIT - 5) },
    });

    expect(toText(end.output, 'stdout')).toBe(`${LIMIT - 1} ${LIMIT - 5}\n`);
  });

  it('says that it is the interpreter that is missing', async () => {
    const { runToEnd } = await startExecutor();
    const script = join(folder, 'script');
    writeFileSync(script, '#!/no/such/interpreter\n');
    chmodSync(script, 0o755);

    const end = await runToEnd({ argv: [script] });

    expect(end.end.failure).toEqual({
      reason: 'spawn_error',
      message: `the program ${JSON.stringify(script)} names an interpreter that was not found (ENOENT)`,
    });
  });

  it('says that the directory is a file', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({ argv: ['true'], cwd: '/etc/passwd' });

    expect(end.end.failure?.message).toBe('the working directory "/etc/passwd" is not a directory');
  });
});

/** A span in which something must not happen. */
function letPass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
