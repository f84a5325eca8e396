import { readFileSync } from 'node:fs';

import { startExecutor, stopExecutors, toText } from './testing/executor-harness.js';

afterEach(stopExecutors);

const CAP = 64 * 1024;
const FLOOD_BYTES = 200 * 1024 * 1024;

describe('ExecutorProcess: output', () => {
  it('keeps head and tail of 200 MB in one line, counted, with its memory flat', async () => {
    const { executor, runToEnd } = await startExecutor();
    await runToEnd({ command: 'head -c 20000000 /dev/zero' });
    const before = residentKb(executor.pid);

    const end = await runToEnd({
      command: `printf start; head -c ${FLOOD_BYTES} /dev/zero | tr '\\0' x; printf end`,
      maxOutputBytes: CAP,
    });

    expect(residentKb(executor.pid) - before).toBeLessThan(50 * 1024);
    expect(end.outcome).toBe('succeeded');
    expect(end.end.output).toEqual({ stdoutBytes: FLOOD_BYTES + 8, stderrBytes: 0, truncated: true });
    const kept = end.output.reduce((sum, { data }) => sum + data.length, 0);
    expect(kept).toBeLessThanOrEqual(CAP);
    expect(toText(end.output, 'stdout')).toMatch(/^startx+end$/);
    expect(lastOffset(end.output)).toBe(FLOOD_BYTES + 8);
  });

  it('keeps the first quarter and the last three', async () => {
    const { runToEnd } = await startExecutor();

    const end = await runToEnd({ command: 'seq -w 0 9999', maxOutputBytes: 4_000 });

    const text = toText(end.output, 'stdout');
    expect(text.slice(0, 1_000)).toBe(lines(0, 200));
    expect(text.slice(1_000)).toBe(lines(9_400, 10_000));
    expect(end.output.find(({ offset }) => offset >= 1_000)?.offset).toBe(50_000 - 3_000);
  });

  it('sends the output of a running command, in order and once', async () => {
    const { chunks, executor, printed, run } = await startExecutor();

    const attempt = run({ command: 'echo one; sleep 0.6; echo two; echo three >&2; sleep 100' });
    await printed(attempt, 'one');
    await printed(attempt, 'three');

    expect(toText(chunks, 'stdout')).toBe('one\ntwo\n');
    expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_chunk, index) => index + 1));
    await executor.kill(attempt);
  });

  it('hands over with the end what was not acknowledged, and nothing else', async () => {
    const { ended, executor, printed, run } = await startExecutor();
    const attempt = run({ command: 'echo one; read line; echo two', stdin: undefined });
    const other = run({ command: 'echo one; sleep 1; echo two' });
    await printed(other, 'one');

    executor.acknowledgeOutput(other, 'stdout', 4);

    expect(toText((await ended(other)).output, 'stdout')).toBe('two\n');
    expect(toText((await ended(attempt)).output, 'stdout')).toBe('one\ntwo\n');
  });

  it('sends no more than its window while nothing is acknowledged, and never blocks the command', async () => {
    const { chunks, runToEnd } = await startExecutor();

    const end = await runToEnd({ command: 'for i in 1 2 3 4 5 6; do head -c 1000000 /dev/zero; sleep 0.25; done' });

    const live = chunks.reduce((sum, { data }) => sum + data.length, 0);
    expect(live).toBeGreaterThan(0);
    expect(live).toBeLessThanOrEqual(128 * 1024);
    expect(end.end.output.stdoutBytes).toBe(6_000_000);
  });
});

function residentKb(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

function lastOffset(output: readonly { offset: number; data: Buffer }[]): number {
  return Math.max(...output.map(({ offset, data }) => offset + data.length));
}

function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_value, index) => `${String(from + index).padStart(4, '0')}\n`).join('');
}
