import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { MAX_RESULT_BYTES } from '@orchestrator/core';

import { eventually, toText } from '../testing/executor-harness.js';
import { fixtureModule, startHandlers, stopHandlers } from '../testing/handler-harness.js';

afterEach(stopHandlers);

describe('HandlerRunner: results', () => {
  it('runs a handler with its data and keeps its result', async () => {
    const { runToEnd } = await startHandlers();

    const end = await runToEnd('add', { a: 1, b: 2 });

    expect(end).toMatchObject({ outcome: 'succeeded', retryable: false });
    expect(end.end).toMatchObject({ exitCode: null, signal: null, failure: null });
    expect(end.resultJson).toBe('3');
  });

  it('loads an ES module, and what it exports as default', async () => {
    const { runToEnd } = await startHandlers({ modulePath: fixtureModule('fixture-handlers.mjs') });

    expect((await runToEnd('add', { a: 1, b: 2 })).resultJson).toBe('3');
    expect((await runToEnd('multiply', { a: 2, b: 5 })).resultJson).toBe('10');
  });

  it('tells the handler which job it runs for', async () => {
    const { runToEnd } = await startHandlers();

    const { resultJson = '' } = await runToEnd('context');

    const job = { id: 'default:1', name: 'a job', attempt: 1, fence: 7, workerId: 'worker-1' };
    expect(JSON.parse(resultJson)).toMatchObject(job);
  });

  it('keeps no result where there is none', async () => {
    const { runToEnd } = await startHandlers();

    expect(await runToEnd('nothing')).not.toHaveProperty('resultJson');
  });

  it.each([
    ['throws', undefined, 'TypeError: no good', true],
    ['throwsText', undefined, 'just a text', true],
    ['throwsForGood', undefined, 'Error: never again', false],
    ['strays', undefined, 'Error: thrown in a timer', true],
    ['rejectsAlone', undefined, 'Error: rejected alone', true],
    ['circular', undefined, 'circular structure', true],
    ['bigint', undefined, 'BigInt', true],
    ['returns', MAX_RESULT_BYTES, 'bytes of JSON', false],
    ['unknown', undefined, 'exports no handler "unknown"', false],
    ['toString', undefined, 'exports no handler "toString"', false],
    ['constructor', undefined, 'exports no handler "constructor"', false],
  ])('fails as handler_error: %s', async (handler, data, message, retryable) => {
    const { runToEnd } = await startHandlers();

    const end = await runToEnd(handler, data);

    expect(end).toMatchObject({ outcome: 'failed', retryable });
    expect(end.end.failure).toEqual({ reason: 'handler_error', message: expect.stringContaining(message) });
  });

  it('runs many at a time', async () => {
    const { busy, runToEnd } = await startHandlers();

    const ends = await Promise.all(Array.from({ length: 50 }, () => runToEnd('sleeps', 200)));

    expect(ends.every(({ resultJson }) => resultJson === '"slept"')).toBe(true);
    expect(Math.max(...ends.map(({ startedAtWallMs }) => startedAtWallMs))).toBeLessThan(
      Math.min(...ends.map(({ startedAtWallMs, durationMs }) => startedAtWallMs + durationMs)),
    );
    await eventually(1_000, () => busy.at(-1) === false);
    expect(busy).toEqual([true, false]);
  });

  it('is busy all along with short ones that follow one another', async () => {
    const { busy, runToEnd } = await startHandlers();

    await runToEnd('nothing');
    await runToEnd('nothing');

    expect(busy).toEqual([true]);
    await eventually(1_000, () => busy.at(-1) === false);
    expect(busy).toEqual([true, false]);
  });

  it('does not hold up the main thread', async () => {
    const { runToEnd } = await startHandlers();
    let ticks = 0;
    const ticking = setInterval(() => (ticks += 1), 10);

    await runToEnd('spins', 500);

    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(10);
  });

  it("gives the handlers none of the worker's own secrets", async () => {
    const { runToEnd } = await startHandlers();

    expect((await runToEnd('environment')).resultJson).toBe('["PATH"]');
  });
});

describe('HandlerRunner: output', () => {
  it('keeps what each handler prints as the output of its own attempt', async () => {
    const { runToEnd } = await startHandlers();

    const [a, b] = await Promise.all([runToEnd('prints', 'a'), runToEnd('prints', 'b')]);

    expect(toText(a.output, 'stdout')).toBe('out a\nraw a\n');
    expect(toText(a.output, 'stderr')).toBe('err a\n');
    expect(toText(b.output, 'stdout')).toBe('out b\nraw b\n');
    expect(a.end.output).toEqual({ stdoutBytes: 12, stderrBytes: 6, truncated: false });
  });

  it('keeps head and tail of a flood', async () => {
    const { runToEnd } = await startHandlers();

    const end = await runToEnd('floods');

    expect(end.end.output).toEqual({ stdoutBytes: 2_002_000, stderrBytes: 0, truncated: true });
    expect(toText(end.output, 'stdout')).toHaveLength(65_536);
  });

  it('sends it while the handler runs', async () => {
    const { chunks, printed, run, runner } = await startHandlers();
    const attempt = run('follows');

    await printed();

    expect(toText(chunks, 'stdout')).toBe('line 1\n');
    await runner.kill(attempt);
  });
});

describe('HandlerRunner: ending a handler', () => {
  it('aborts its signal at its timeout', async () => {
    const { runToEnd } = await startHandlers();

    const end = await runToEnd('heeds', undefined, { timeoutMs: 50 });

    expect(end).toMatchObject({ outcome: 'failed', retryable: true });
    expect(end.end.failure).toEqual({ reason: 'timeout', message: 'did not end within 50 ms' });
  });

  it('aborts its signal when it is cancelled', async () => {
    const { ended, run, runner, started } = await startHandlers();
    const attempt = run('heeds');
    await started(attempt);

    runner.cancel(attempt, 'asked for by a test');

    const end = await ended(attempt);
    expect(end).toMatchObject({ outcome: 'cancelled', retryable: false });
    expect(end.end.failure).toEqual({ reason: 'cancelled', message: 'asked for by a test' });
  });

  it.each(['ignores', 'spins'])(
    'ends the thread of one that does not heed it (%s): the others are lost, and the next one runs',
    async (handler) => {
      const { busy, ended, executorLost, run, runToEnd, started } = await startHandlers();
      const innocent = run('heeds');
      await started(innocent);
      const lost = executorLost();

      const attempt = run(handler, 60_000, { timeoutMs: 50, killGraceMs: 100 });

      expect((await lost).attemptIds).toEqual([innocent]);
      expect((await ended(attempt)).end.failure?.reason).toBe('timeout');
      expect((await runToEnd('add', { a: 1, b: 1 })).resultJson).toBe('2');
      await eventually(1_000, () => busy.at(-1) === false);
      expect(busy).toEqual([true, false, true, false]);
    },
  );

  it('ends a thread once when two of its handlers are overdue in one moment: the next thread is not touched', async () => {
    const { ended, executorLost, run, started, runToEnd } = await startHandlers();
    const overdue = [1, 2].map(() => run('ignores', undefined, { timeoutMs: 50, killGraceMs: 100 }));
    await Promise.all(overdue.map(started));
    const lost = executorLost();

    const ends = await Promise.all(overdue.map(ended));
    const next = await runToEnd('sleeps', 300);

    expect(ends.map(({ end }) => end.failure?.reason)).toEqual(['timeout', 'timeout']);
    expect(next.outcome).toBe('succeeded');
    const another = run('exits');
    expect((await lost).attemptIds).toEqual([another]);
  });

  it('hands back what it cannot run while its module does not load, and goes on when it does', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'handlers-'));
    const modulePath = join(directory, 'handlers.cjs');
    copyFileSync(fixtureModule('fixture-handlers.cjs'), modulePath);
    try {
      const { executorLost, run, runToEnd } = await startHandlers({ modulePath });
      writeFileSync(modulePath, 'throw new Error("not now")');
      const lostWithThread = executorLost();
      run('exits');
      await lostWithThread;

      const lostUnloaded = [executorLost(), run('nothing')] as const;
      expect((await lostUnloaded[0]).attemptIds).toEqual([lostUnloaded[1]]);

      const lostAgain = [executorLost(), run('nothing')] as const;
      expect((await lostAgain[0]).attemptIds).toEqual([lostAgain[1]]);

      copyFileSync(fixtureModule('fixture-handlers.cjs'), modulePath);
      expect((await runToEnd('add', { a: 1, b: 2 })).resultJson).toBe('3');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('reports all as lost when a handler exits, and goes on', async () => {
    const { executorLost, run, runToEnd } = await startHandlers();
    const lost = executorLost();
    const attempts = [run('heeds'), run('exits')];

    const { attemptIds, detail } = await lost;

    expect(attemptIds).toEqual(attempts);
    expect(detail).toContain('code 7');
    expect((await runToEnd('add', { a: 1, b: 1 })).resultJson).toBe('2');
  });

  it('kills one that heeds its signal without a word and without harm to the others', async () => {
    const { ended, ends, run, runner, started } = await startHandlers();
    const [heeds, innocent] = [run('heeds'), run('sleeps', 300)];
    await Promise.all([started(heeds), started(innocent)]);

    await runner.kill(heeds);

    expect(ends).toEqual([]);
    expect((await ended(innocent)).outcome).toBe('succeeded');
    expect(ends).toHaveLength(1);
  });

  it('tells one that is killed why', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'handlers-'));
    const file = join(directory, 'reason');
    try {
      const { run, runner, started } = await startHandlers();
      const attempt = run('notesItsEnd', file);
      await started(attempt);

      await runner.kill(attempt, { message: 'the lease ran out', graceMs: 500 });

      expect(readFileSync(file, 'utf8')).toBe('lost: the lease ran out');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('is not busy with what goes on after the lease', async () => {
    const { busy, run, runToEnd, started } = await startHandlers();
    const goesOn = run('sleeps', 60_000, { onLeaseLost: 'continue' });
    await started(goesOn);

    await runToEnd('nothing', undefined, { onLeaseLost: 'freeze' });

    await eventually(1_000, () => busy.at(-1) === false);
    expect(busy).toEqual([true, false]);
  });

  it('kills one that does not heed its signal with its thread', async () => {
    const { ends, executorLost, run, runner, started } = await startHandlers();
    const [ignores, innocent] = [run('ignores'), run('heeds')];
    await Promise.all([started(ignores), started(innocent)]);
    const lost = executorLost();

    await runner.kill(ignores);

    expect((await lost).attemptIds).toEqual([innocent]);
    expect(ends).toEqual([]);
  });

  it('kills all without a word', async () => {
    const { busy, ends, run, runner, started } = await startHandlers();
    await started(run('heeds'));

    await runner.killAll();

    expect(busy).toEqual([true, false]);
    expect(ends).toEqual([]);
  });
});

describe('HandlerRunner: the module', () => {
  it.each([
    ['is not there', '/no/such.js', /"\/no\/such.js" could not be loaded/],
    ['does not parse', fixtureModule('../../README.md'), /could not be loaded/],
  ])('refuses to start with one that %s', async (_what, modulePath, message) => {
    await expect(startHandlers({ modulePath })).rejects.toThrow(message);
  });
});
