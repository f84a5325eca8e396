import { readdirSync, readFileSync } from 'node:fs';

import { readStat } from './proc.js';
import {
  eventually,
  type ExecutorHarness,
  startExecutor,
  stopExecutors,
  toText,
  useHelpers,
} from './testing/executor-harness.js';
import { startWorkerProcess, stopWorkerProcesses } from './testing/worker-process.js';
import { uptimeMs } from './uptime.js';

useHelpers('always');
afterEach(stopExecutors);
afterEach(stopWorkerProcesses);

const TREE = 'setsid sleep 100 & timeout 100 sleep 100 & sleep 100';
const NEGATIVE_WAIT_MS = 300;
const letPass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function helpersOf({ marked }: Pick<ExecutorHarness, 'marked'>): number[] {
  return marked().flatMap(({ mark, pid }) => (/\/@helper-\d+$/.test(mark) ? [pid] : []));
}

function ofAttempt({ marked }: ExecutorHarness, attempt: string): number[] {
  return marked().flatMap(({ mark, pid }) => (mark.endsWith(`/${attempt}`) ? [pid] : []));
}

function parentOf(pid: number): number {
  return readStat(pid)?.parent ?? 0;
}

describe('helpers: who starts a command', () => {
  it('is a helper, which is a child of the executor', async () => {
    const harness = await startExecutor();

    const pid = await harness.started(harness.run({ command: 'sleep 100' }));

    expect(helpersOf(harness)).toContain(parentOf(pid));
    expect(parentOf(parentOf(pid))).toBe(harness.executor.pid);
  });

  it('is the executor itself until many are started, and helpers from then on', async () => {
    const harness = await startExecutor({ helpers: 'auto' });
    const first = await harness.started(harness.run({ command: 'sleep 100' }));
    expect(parentOf(first)).toBe(harness.executor.pid);

    const parents = async (): Promise<number> => {
      const attempt = harness.run({ argv: ['sh', '-c', 'echo $PPID'] });
      return Number(toText((await harness.ended(attempt)).output, 'stdout'));
    };
    let parent = harness.executor.pid;
    for (let started = 0; started < 200 && parent === harness.executor.pid; started += 1) {
      parent = await parents();
    }

    expect(helpersOf(harness)).toContain(parent);
  });

  it('starts it with the signals, limits, umask and priority that it would have without', async () => {
    const command =
      'grep -E "^Sig(Ign|Blk|Cgt)|^NoNewPrivs|^Cap" /proc/self/status; cat /proc/self/limits; umask; nice';
    const [withHelper, without] = await Promise.all([startExecutor(), startExecutor({ helpers: 'off' })]);

    const ends = await Promise.all([withHelper.runToEnd({ command }), without.runToEnd({ command })]);

    const [first = '', second] = ends.map(({ output }) => toText(output, 'stdout'));
    expect(first).toContain('Max open files');
    expect(first).toBe(second);
  });

  it('hands over arguments and variables as they are', async () => {
    const { runToEnd } = await startExecutor();
    const texts = ['a\nb', '', `'"`, '$(id)', '`id`', 'é\u{1f600}', 'x=y=z', '\\', '-n', '\x01'];
    const env = Object.fromEntries(texts.map((text, index) => [`V${index}`, text]));

    const end = await runToEnd({ argv: ['printf', '%s|', ...texts], env });
    const variables = await runToEnd({ argv: ['env', '-0'], env });

    expect(toText(end.output, 'stdout')).toBe(texts.map((text) => `${text}|`).join(''));
    const seen = toText(variables.output, 'stdout').split('\0');
    expect(seen).toEqual(expect.arrayContaining(texts.map((text, index) => `V${index}=${text}`)));
    expect(seen.filter((line) => line.startsWith('V'))).toHaveLength(texts.length);
  });

  it('starts what a helper cannot take over unchanged without one', async () => {
    const { runToEnd } = await startExecutor();

    const odd = await runToEnd({ argv: ['env'], env: { 'not a name': '1' } });
    const large = await runToEnd({ argv: ['sh', '-c', 'echo ${#1}', 'sh', 'x'.repeat(100_000)] });

    expect(toText(odd.output, 'stdout')).toContain('not a name=1\n');
    expect(toText(large.output, 'stdout')).toBe('100000\n');
  });

  it('runs a script without an interpreter line, as without a helper', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({
      command: 'd=$(mktemp -d); echo "echo from a script" >$d/s; chmod +x $d/s; exec $d/s',
    });
    const missing = await runToEnd({ argv: ['no-such-program-anywhere'] });

    expect(toText(end.output, 'stdout')).toBe('from a script\n');
    expect(missing.end.failure).toEqual({
      reason: 'spawn_error',
      message: 'the program "no-such-program-anywhere" was not found (ENOENT)',
    });
  });

  it('tells a real-time signal from success', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({ command: 'kill -34 $$; sleep 100' });

    expect(end.outcome).toBe('failed');
    expect(end.end).toMatchObject({ exitCode: null, signal: 'SIG34', failure: { reason: 'signal' } });
  });

  it('keeps what a short command wrote, in full and in order, also when a grandchild writes on', async () => {
    const { runToEnd } = await startExecutor();

    const short = await runToEnd({ command: 'seq 10000', maxOutputBytes: 1024 * 1024 });
    const long = await runToEnd({ command: 'seq 100000; sleep 0.1; echo last', maxOutputBytes: 1024 * 1024 });
    const behind = await runToEnd({ command: '(sleep 0.01; echo behind) & echo first' });

    const upTo = (count: number): string => Array.from({ length: count }, (_, at) => `${at + 1}\n`).join('');
    expect(toText(short.output, 'stdout')).toBe(upTo(10_000));
    expect(toText(long.output, 'stdout')).toBe(`${upTo(100_000)}last\n`);
    expect(toText(behind.output, 'stdout')).toBe('first\nbehind\n');
  });

  it('leaves no process, no zombie and no file handle behind', async () => {
    const harness = await startExecutor();
    const burst = (): Promise<unknown> =>
      Promise.all(Array.from({ length: 40 }, () => harness.runToEnd({ command: 'echo x; echo y >&2', stdin: 'z' })));
    const files = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
    await burst();
    const helpers = helpersOf(harness);
    const before = files(harness.executor.pid ?? 0);

    await burst();

    await eventually(2_000, () => files(harness.executor.pid ?? 0) <= before + 3 * helpersOf(harness).length);
    for (const helper of helpersOf(harness)) {
      const children = readFileSync(`/proc/${helper}/task/${helper}/children`, 'utf8');
      expect(children).toBe('');
      expect(files(helper)).toBeLessThanOrEqual(8);
    }
    expect(helpersOf(harness)).toEqual(expect.arrayContaining(helpers));
  });
});

describe('helpers: one that is lost', () => {
  it.each([
    ['somebody else', 'sleep 100'],
    ['its own command', `setsid sleep 100 & kill -9 $PPID; sleep 100`],
  ])('costs its own attempt and no other: killed by %s', async (_who, command) => {
    const harness = await startExecutor();
    const { executor, executorLost, run, runToEnd, started } = harness;
    const other = run({ command: 'sleep 100' });
    const otherPid = await started(other);
    const lost = executorLost();
    const before = executor.pid;

    const attempt = run({ command });
    if (!command.includes('kill')) {
      process.kill(parentOf(await started(attempt)), 'SIGKILL');
    }

    expect(await lost).toEqual({ attemptIds: [attempt], detail: expect.stringContaining('SIGKILL') });
    expect(ofAttempt(harness, attempt)).toEqual([]);
    expect(readStat(otherPid)?.state).toBe('S');
    expect(executor.pid).toBe(before);
    expect((await runToEnd({ command: 'true' })).outcome).toBe('succeeded');
  });

  it('is one that is stopped when its command ends, and that is found out within seconds', async () => {
    const harness = await startExecutor();
    const lost = harness.executorLost();
    const attempt = harness.run({ command: TREE });
    const pid = await harness.started(attempt);
    process.kill(parentOf(pid), 'SIGSTOP');

    process.kill(pid, 'SIGTERM');

    expect(await lost).toEqual({ attemptIds: [attempt], detail: expect.stringContaining('helper') });
    expect(ofAttempt(harness, attempt)).toEqual([]);
    expect(harness.ends).toEqual([]);
  });

  it('is one that does not start what it was given', async () => {
    const harness = await startExecutor();
    await harness.runToEnd({ command: 'true' });
    const lost = harness.executorLost();
    helpersOf(harness).forEach((helper) => process.kill(helper, 'SIGSTOP'));

    const attempt = harness.run({ command: 'sleep 100' });

    expect((await lost).attemptIds).toEqual([attempt]);
    expect(ofAttempt(harness, attempt)).toEqual([]);
  });

  it('ends with the executor, although nobody guards it', async () => {
    const worker = await startWorkerProcess([{ command: TREE }], { helpers: 'always' });
    const guard = worker.marked().find(({ mark }) => mark.endsWith('/@guard'))?.pid ?? 0;
    const helpers = helpersOf(worker);
    expect(helpers.length).toBeGreaterThan(1);

    [guard, worker.executorPid, worker.pid].forEach((pid) => process.kill(pid, 'SIGKILL'));

    // But the one whose command goes on: that is for the next worker of this id to end.
    await eventually(1_500, () => helpersOf(worker).length <= 1);
    worker.marked().forEach(({ pid }) => process.kill(pid, 'SIGKILL'));
  });

  it('and its command are killed by the guard when worker and executor die', async () => {
    const worker = await startWorkerProcess([{ command: TREE }], { helpers: 'always' });

    worker.child.kill('SIGKILL');
    process.kill(worker.executorPid, 'SIGKILL');

    await eventually(1_500, () => worker.marked().length === 0);
  });
});

describe('helpers: what is asked of an attempt before it has started', () => {
  async function startHeldUp(
    attempt: object = {},
  ): Promise<{ harness: ExecutorHarness; id: string; goOn: () => void }> {
    const harness = await startExecutor();
    await harness.runToEnd({ command: 'true' });
    const helpers = helpersOf(harness);
    helpers.forEach((helper) => process.kill(helper, 'SIGSTOP'));
    const id = harness.run({ command: TREE, ...attempt });
    await letPass(NEGATIVE_WAIT_MS);
    const goOn = (): void =>
      helpers.forEach((helper) => {
        if (readStat(helper) !== undefined) {
          process.kill(helper, 'SIGCONT');
        }
      });
    return { harness, id, goOn };
  }

  it('to be killed: it never starts', async () => {
    const { goOn, harness, id } = await startHeldUp();

    await harness.executor.kill(id);
    goOn();

    await letPass(NEGATIVE_WAIT_MS);
    expect(ofAttempt(harness, id)).toEqual([]);
    expect(harness.ends.filter(({ attemptId }) => attemptId === id)).toEqual([]);
    expect((await harness.runToEnd({ command: 'true' })).outcome).toBe('succeeded');
  });

  it('to be cancelled: it is, with its grace, as soon as it has started', async () => {
    const { goOn, harness, id } = await startHeldUp();

    harness.executor.cancel(id, 'too early');
    goOn();

    const end = await harness.ended(id);
    expect(end.outcome).toBe('cancelled');
    expect(end.end).toMatchObject({ signal: 'SIGTERM', failure: { reason: 'cancelled', message: 'too early' } });
    expect(ofAttempt(harness, id)).toEqual([]);
  });

  it('to be frozen at the end of the lease: it is, as soon as it has started', async () => {
    const harness = await startExecutor({ leaseMs: 2_500 });
    const leaseEndMs = uptimeMs() + 2_500;
    await harness.runToEnd({ command: 'true' });
    const helpers = helpersOf(harness);
    const frozen = harness.frozen();
    helpers.forEach((helper) => process.kill(helper, 'SIGSTOP'));
    const id = harness.run({ command: 'sleep 100', onLeaseLost: 'freeze' });
    await eventually(5_000, () => uptimeMs() > leaseEndMs);
    await letPass(NEGATIVE_WAIT_MS);

    helpers.forEach((helper) => process.kill(helper, 'SIGCONT'));

    expect(await frozen).toEqual([id]);
    const [pid = 0] = ofAttempt(harness, id);
    // A SIGSTOP that meets it in its exec (D) takes effect at the end of that: nothing of the command runs before.
    await eventually(1_000, () => readStat(pid)?.state === 'T');
    await harness.executor.kill(id);
    expect(ofAttempt(harness, id)).toEqual([]);
  });
});
