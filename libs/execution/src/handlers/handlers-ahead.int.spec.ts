import { startHandlers, stopHandlers } from '../testing/handler-harness.js';
import { uptimeMs } from '../uptime.js';

afterEach(stopHandlers);

describe('HandlerRunner: ahead of its slots', () => {
  it('runs as many at a time as it has slots, in order', async () => {
    const { runner, run, ended, ends } = await startHandlers();
    runner.setSlots(2);

    const ids = Array.from({ length: 6 }, () => run('sleeps', 60));
    const all = await Promise.all(ids.map(ended));

    expect(ends.map(({ attemptId }) => attemptId)).toEqual(ids);
    const at = all.map(({ startedAtWallMs }) => startedAtWallMs);
    expect(at[2]! - at[0]!).toBeGreaterThanOrEqual(59);
    expect(at[4]! - at[2]!).toBeGreaterThanOrEqual(59);
  });

  it('keeps to the slots of the moment, however often they change while nothing runs', async () => {
    const { runner, run, ended } = await startHandlers();
    for (const slots of [2, 0, 3, 1]) {
      runner.setSlots(slots);
    }
    const [first, second] = await Promise.all([run('sleeps', 60), run('sleeps', 60)].map(ended));
    expect(second!.startedAtWallMs - first!.startedAtWallMs).toBeGreaterThanOrEqual(59);

    const all = ['sleeps', 'sleeps', 'sleeps'].map((handler) => run(handler, 100));
    runner.setSlots(3);

    const at = (await Promise.all(all.map(ended))).map(({ startedAtWallMs }) => startedAtWallMs);
    expect(Math.max(...at) - Math.min(...at)).toBeLessThan(50);
  });

  it('runs thousands that end at once, each of them once', async () => {
    const { runner, run, ended, ends } = await startHandlers();
    runner.setSlots(2);

    const ids = Array.from({ length: 5_000 }, (_, i) => run('add', { a: i, b: 1 }));
    await ended(ids.at(-1)!);

    expect(ends.map(({ attemptId }) => attemptId)).toEqual(ids);
    expect(ends.every(({ resultJson }, i) => resultJson === String(i + 1))).toBe(true);
  });

  it('takes back what has not started, also while a handler blocks the thread', async () => {
    const { runner, run, ended, started, ends } = await startHandlers();
    runner.setSlots(1);
    const [blocks, waits] = [run('spins', 400), run('add', { a: 1, b: 2 })];
    await started(blocks);

    expect([runner.recall(blocks), runner.recall(waits)]).toEqual([false, true]);

    expect((await ended(blocks)).outcome).toBe('succeeded');
    expect((await ended(run('add', { a: 2, b: 2 }))).resultJson).toBe('4');
    expect(ends.map(({ attemptId }) => attemptId)).not.toContain(waits);
  });

  it('cancels one that waits for a slot: it never starts', async () => {
    const { runner, run, ended, started } = await startHandlers();
    runner.setSlots(1);
    const [first, waits] = [run('sleeps', 200), run('add', { a: 1, b: 2 })];
    await started(first);

    runner.cancel(waits, 'asked for by a test');

    expect(await ended(waits)).toMatchObject({ outcome: 'cancelled', durationMs: 0 });
    expect((await ended(first)).outcome).toBe('succeeded');
  });

  it('gives back for free what waited in a thread that is ended', async () => {
    const { runner, run, ended, unstarted, runToEnd } = await startHandlers();
    runner.setSlots(1);
    const given = unstarted();

    const [ignores, waits] = [run('ignores', undefined, { timeoutMs: 50, killGraceMs: 50 }), run('nothing')];

    expect(await given).toEqual([waits]);
    expect((await ended(ignores)).end.failure?.reason).toBe('timeout');
    expect((await runToEnd('add', { a: 1, b: 1 })).resultJson).toBe('2');
  });

  it('starts nothing after the end of its lease, and goes on with the next one', async () => {
    const { runner, run, ended } = await startHandlers();
    runner.setLease(uptimeMs() - 1);
    const [recalled, waits] = [run('nothing'), run('add', { a: 1, b: 2 })];
    expect(runner.recall(recalled)).toBe(true);

    runner.setLease(uptimeMs() + 60_000);

    expect((await ended(waits)).resultJson).toBe('3');
  });
});
