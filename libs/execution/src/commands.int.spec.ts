import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { isAlive, readStat, sendSignal } from './proc.js';
import { eventually, startExecutor, stopExecutors, toText } from './testing/executor-harness.js';

afterEach(stopExecutors);

describe('ExecutorProcess: the end of a command', () => {
  it('reports success with the output', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({ command: 'echo out; echo err >&2' });

    expect(end).toMatchObject({ outcome: 'succeeded', retryable: false });
    expect(end.end).toEqual({
      exitCode: 0,
      signal: null,
      failure: null,
      output: { stdoutBytes: 4, stderrBytes: 4, truncated: false },
    });
    expect(toText(end.output, 'stdout')).toBe('out\n');
    expect(toText(end.output, 'stderr')).toBe('err\n');
  });

  it('reports an exit code as a failure', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({ argv: ['sh', '-c', 'exit 3'] });

    expect(end).toMatchObject({ outcome: 'failed', retryable: true });
    expect(end.end).toMatchObject({
      exitCode: 3,
      signal: null,
      failure: { reason: 'exit_code', message: 'exited with code 3' },
    });
  });

  it('reports a signal that it did not send', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({ command: 'kill -9 $$' });

    expect(end.outcome).toBe('failed');
    expect(end.end).toMatchObject({ exitCode: null, signal: 'SIGKILL', failure: { reason: 'signal' } });
  });

  it('gives argv to the program as it is, with no shell', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({ argv: ['printf', '%s|', '$HOME', '; ls', '"'] });

    expect(toText(end.output, 'stdout')).toBe('$HOME|; ls|"|');
  });

  it('ends a command at its timeout, and with SIGKILL when it ignores SIGTERM', async () => {
    const { runToEnd } = await startExecutor();

    const [heeds, ignores] = await Promise.all([
      runToEnd({ command: 'sleep 100', timeoutMs: 100 }),
      runToEnd({ command: `trap '' TERM; sleep 100; sleep 100`, timeoutMs: 100, killGraceMs: 200 }),
    ]);

    expect(heeds).toMatchObject({ outcome: 'failed', retryable: true });
    expect(heeds.end).toMatchObject({ signal: 'SIGTERM', failure: { reason: 'timeout' } });
    expect(ignores.end).toMatchObject({ signal: 'SIGKILL', failure: { reason: 'timeout' } });
    expect(ignores.durationMs).toBeGreaterThanOrEqual(300);
  });

  it('kills what ignores SIGTERM in a session of its own, too', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({
      command: `trap '' TERM; setsid sleep 100 & sleep 100`,
      timeoutMs: 100,
      killGraceMs: 200,
    });

    expect(end.end).toMatchObject({ signal: 'SIGKILL', failure: { reason: 'timeout' } });
  });

  it('leaves the grace to what the shell has started', async () => {
    const { ended, executor, printed, run } = await startExecutor();
    const attempt = run({
      command: `sh -c 'trap "sleep 0.3; echo cleaned; exit 0" TERM; echo ready; while :; do sleep 0.05; done'; true`,
    });
    await printed(attempt, 'ready');

    executor.cancel(attempt, 'test');

    const end = await ended(attempt);
    expect(end.outcome).toBe('cancelled');
    expect(toText(end.output, 'stdout')).toContain('cleaned');
  });

  it('does not take a long timeout for none', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({ command: 'sleep 0.1', timeoutMs: 2 ** 31 + 1_000 });

    expect(end.outcome).toBe('succeeded');
  });
});

describe('ExecutorProcess: cancel', () => {
  it('reports a cancelled command as such', async () => {
    const { ended, executor, run, started } = await startExecutor();
    const attempt = run({ command: 'sleep 100' });
    await started(attempt);

    executor.cancel(attempt, 'asked for by a test');

    const end = await ended(attempt);
    expect(end).toMatchObject({ outcome: 'cancelled', retryable: false });
    expect(end.end.failure).toEqual({ reason: 'cancelled', message: 'asked for by a test' });
  });

  it('leaves the outcome of a command that had ended by itself', async () => {
    const { ended, executor, run, started } = await startExecutor();
    const attempt = run({ argv: ['true'] });
    const pid = await started(attempt);
    await eventually(2_000, () => !isAlive({ pid, startTime: readStat(pid)?.startTime ?? '' }));

    executor.cancel(attempt, 'too late');

    expect((await ended(attempt)).outcome).toBe('succeeded');
  });

  it('kills without a word', async () => {
    const { ends, executor, marked, run, started } = await startExecutor();
    const attempt = run({ command: 'setsid sleep 100 & sleep 100' });
    await started(attempt);

    await executor.kill(attempt);

    expect(marked().filter(({ mark }) => mark.endsWith(attempt))).toEqual([]);
    expect(ends).toEqual([]);
  });
});

describe('ExecutorProcess: what a command leaves behind', () => {
  it('ends at its exit although a grandchild holds its output, and kills that', async () => {
    const { marked, runToEnd } = await startExecutor();

    const end = await runToEnd({ command: 'sleep 100 & echo done' });

    expect(end.outcome).toBe('succeeded');
    expect(end.durationMs).toBeLessThan(1_000);
    await eventually(500, () => marked().every(({ mark }) => !mark.endsWith(end.attemptId)));
  });

  it('sweeps a grandchild that has made a session of its own', async () => {
    const { marked, runToEnd } = await startExecutor();

    const end = await runToEnd({ command: 'setsid sleep 100 >/dev/null 2>&1 & echo $!' });

    expect(end.outcome).toBe('succeeded');
    await eventually(3_000, () => marked().every(({ mark }) => !mark.endsWith(end.attemptId)));
  });

  it('kills inside a program that makes groups of its own before it reports the timeout', async () => {
    const { marked, runToEnd } = await startExecutor();

    const end = await runToEnd({
      command: 'timeout 100 sleep 100; timeout 100 sleep 100',
      timeoutMs: 200,
      killGraceMs: 0,
    });

    expect(end.end.failure?.reason).toBe('timeout');
    expect(marked().filter(({ mark }) => mark.endsWith(end.attemptId))).toEqual([]);
  });

  it('lets no command inherit its pipes', async () => {
    const { run, started } = await startExecutor();
    const pid = await started(run({ argv: ['sleep', '100'] }));

    await eventually(2_000, () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n');

    const ofTheTests = new Set(descriptors(process.pid));
    const inherited = (): string[] =>
      descriptors(pid).filter((descriptor) => !ofTheTests.has(descriptor) && !/^[012] /.test(descriptor));
    // A program that has just begun may read its locale; what was inherited stays.
    await eventually(2_000, () => inherited().length === 0);
  });

  it('runs commands with a higher oom_score_adj than its own', async () => {
    const { executor, runToEnd } = await startExecutor();

    const end = await runToEnd({ command: 'cat /proc/self/oom_score_adj' });

    const own = Number(readFileSync(`/proc/${executor.pid}/oom_score_adj`, 'utf8'));
    expect(Number(toText(end.output, 'stdout'))).toBe(Math.min(own + 500, 1_000));
  });

  it('makes each command a session of its own', async () => {
    const { run, started } = await startExecutor();

    const pid = await started(run({ command: 'sleep 100; :' }));

    expect(readStat(pid)?.processGroup).toBe(pid);
  });
});

describe('ExecutorProcess: what a command gets', () => {
  it("gives it the small environment, the job's own and the mark, and nothing else", async () => {
    const { runToEnd, session } = await startExecutor({
      passEnv: ['PASSED'],
      environment: environment({ PASSED: '1' }),
    });

    const end = await runToEnd({ argv: ['env'], env: { JOB: 'a' } });

    const variables = toText(end.output, 'stdout').trim().split('\n').sort();
    expect(variables.map((line) => line.split('=')[0])).toEqual(['HOME', 'JOB', 'ORCHESTRATOR_MARK', 'PASSED', 'PATH']);
    const mark = `worker-1/${session}/${process.pid}-${readStat('self')?.startTime}/${end.attemptId}`;
    expect(variables).toContain(`ORCHESTRATOR_MARK=${mark}`);
  });

  it("keeps the worker's secrets out of the executor, too", async () => {
    const { executor } = await startExecutor({ lastWill: { addresses: ['127.0.0.1:1'], joinToken: 'secret-token' } });

    const seen = ['environ', 'cmdline'].map((file) => readFileSync(`/proc/${executor.pid}/${file}`, 'utf8')).join();

    expect(seen).not.toContain('SECRET_OF_THE_WORKER');
    expect(seen).not.toContain('secret-token');
  });

  it('runs it in the given directory', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({ argv: ['pwd'], cwd: '/usr' });

    expect(toText(end.output, 'stdout')).toBe('/usr\n');
  });

  it('gives it its stdin, also when that is large', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({ command: 'wc -c', stdin: 'é'.repeat(512 * 1024) });

    expect(Number(toText(end.output, 'stdout'))).toBe(1024 * 1024);
  });

  it('does not mind when its stdin is never read', async () => {
    const { runToEnd } = await startExecutor();

    const ends = await Promise.all([
      runToEnd({ command: 'exec <&-; sleep 0.1', stdin: 'x'.repeat(1024 * 1024) }),
      runToEnd({ command: 'sleep 0.1', stdin: 'x'.repeat(1024 * 1024) }),
    ]);

    expect(ends.map((end) => end.outcome)).toEqual(['succeeded', 'succeeded']);
  });

  it('gives it streams that can be opened by name', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({
      command: 'cat /dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr',
      stdin: 'in\n',
    });

    expect(end.outcome).toBe('succeeded');
    expect(toText(end.output, 'stdout')).toBe('in\nout\n');
    expect(toText(end.output, 'stderr')).toBe('err\n');
  });

  it('gives it no input without stdin', async () => {
    const { run, started } = await startExecutor();

    const pid = await started(run({ argv: ['sleep', '100'] }));

    expect(readlinkSync(`/proc/${pid}/fd/0`)).toBe('/dev/null');
  });
});

describe('ExecutorProcess: what cannot start', () => {
  it.each([
    ['a program that does not exist', { argv: ['/no/such'] }, 'the program "/no/such" was not found (ENOENT)', true],
    ['a file that is no program', { argv: ['/etc/passwd'] }, 'is not executable', true],
    [
      'a missing directory',
      { argv: ['true'], cwd: '/no/such' },
      'the working directory "/no/such" cannot be used',
      true,
    ],
    ['too large an argument', { argv: ['true', 'x'.repeat(3_000_000)] }, 'is too large', false],
    ['a NUL byte', { argv: ['tr\0ue'] }, 'without null bytes', false],
    ['an empty argv', { argv: [] }, 'the program ""', false],
  ])('fails as spawn_error and says why: %s', async (_what, attempt, message, retryable) => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd(attempt);

    expect(end).toMatchObject({ outcome: 'failed', retryable });
    expect(end.end.failure).toEqual({ reason: 'spawn_error', message: expect.stringContaining(message) });
  });

  it('goes on with the next one', async () => {
    const { runToEnd } = await startExecutor();
    await runToEnd({ argv: ['/no/such'] });

    expect((await runToEnd({ argv: ['true'] })).outcome).toBe('succeeded');
  });
});

describe('sendSignal', () => {
  it.each([0, 1, -1, NaN])('refuses %s: that would be everybody', (target) => {
    expect(sendSignal(target, 'SIGKILL')).toBe(false);
  });
});

function descriptors(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`];
    } catch {
      return [];
    }
  });
}

function environment(more: Record<string, string>): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: '/root', ORCHESTRATOR_JOIN_TOKEN: 'secret', ...more };
}
