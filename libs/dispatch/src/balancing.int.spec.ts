import { type DispatchBench, type DispatchSetup, type Scheduler, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';

describe('workers on several schedulers', () => {
  let bench: DispatchBench;
  let t: DispatchSetup;
  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(() => bench.stop());
  beforeEach(() => {
    t = bench.setup();
  });
  afterEach(() => t.stop());

  const loads = (schedulers: Scheduler[]): number[] => schedulers.map(({ dispatch }) => dispatch.connected());
  const announce = async (schedulers: Scheduler[]): Promise<void> => {
    for (const { dispatch, id } of schedulers) {
      await t.registry.announce({ id, version: '1', workers: dispatch.connected() });
    }
  };
  /** Everybody has heard of everybody, then each one balances; resolves when those that move have arrived. */
  const round = async (schedulers: Scheduler[], workers: number): Promise<void> => {
    await announce(schedulers);
    for (const { dispatch } of schedulers) {
      await dispatch.balancer.runOnce();
    }
    await t.until(
      'all have arrived',
      async () => loads(schedulers).reduce((sum, load) => sum + load, 0),
      (sum) => sum === workers,
    );
  };

  it('come back evenly after a restart, a few at a time, and nothing is lost or doubled meanwhile', async () => {
    const starts = new Map<string, number>();
    // No balancer of their own beside the rounds that are called here.
    const options = { settledMs: 0, duties: false };
    const [first, second, third] = [await t.scheduler(options), await t.scheduler(options), await t.scheduler(options)];
    const remaining = [second, third];
    const workers: ScriptedWorker[] = [];
    for (let i = 0; i < 12; i += 1) {
      workers.push(await new ScriptedWorker({ slots: 2 }).connect([first, second, third][i % 3]!.dispatch));
      workers[i]!.roam(remaining.map(({ dispatch }) => dispatch));
      workers[i]!.work(2, ({ attempt }) => starts.set(attempt!.jobId, (starts.get(attempt!.jobId) ?? 0) + 1));
    }
    await t.submit(3_000);
    await first.stop();
    const again = await t.scheduler(options);
    const all = [again, ...remaining];
    workers.forEach((worker) => worker.roam(all.map(({ dispatch }) => dispatch)));
    expect(loads(all)[0]).toBe(0);

    const seen: number[][] = [];
    while (Math.max(...loads(all)) > 4 && seen.length < 40) {
      const before = loads(all);
      await round(all, 12);
      seen.push(loads(all));
      expect(Math.max(...before.map((load, i) => load - (loads(all)[i] ?? 0)))).toBeLessThanOrEqual(1);
    }

    expect(loads(all)).toEqual([4, 4, 4]);
    const balanced = all.map(({ dispatch }) => dispatch.counters.balanced);
    await round(all, 12);
    expect(all.map(({ dispatch }) => dispatch.counters.balanced)).toEqual(balanced);
    await t.until(
      'all succeed',
      () => t.store.counts('default'),
      ({ succeeded }) => succeeded === 3_000,
    );
    expect([...starts.values()].filter((count) => count !== 1)).toEqual([]);
    expect(starts.size).toBe(3_000);
    workers.forEach((worker) => worker.roam([]));
  });

  it('of an overloaded scheduler the idle ones move, with what they are told; fresh ones are left alone', async () => {
    const here = await t.scheduler({ duties: false, settledMs: 0 });
    const there = await t.scheduler({ duties: false });
    await t.submit(1);
    const busy = await new ScriptedWorker().connect(here.dispatch);
    busy.grant(1);
    await busy.assignment();
    const idle = await new ScriptedWorker().connect(here.dispatch);
    await announce([here, there]);

    await here.dispatch.balancer.runOnce();
    await idle.inbox.take('reconnect');
    await here.dispatch.balancer.runOnce();

    expect([idle, busy].map(({ inbox }) => inbox.count('reconnect'))).toEqual([0, 0]);
    expect(here.dispatch.counters.balanced).toBe(1);
    const fresh = await new ScriptedWorker().connect(there.dispatch);
    await new ScriptedWorker().connect(there.dispatch);
    await t.registry.withdraw(here.id);
    await t.registry.announce({ id: 'scheduler-empty', version: '1', workers: 0 });
    await there.dispatch.balancer.runOnce();
    expect(fresh.inbox.count('reconnect')).toBe(0);
  });

  it('one that comes back to where it was told to leave knows no other scheduler, and stays', async () => {
    const here = await t.scheduler({ duties: false, settledMs: 0 });
    const workers = [new ScriptedWorker(), new ScriptedWorker()];
    for (const worker of workers) {
      await worker.connect(here.dispatch);
      worker.roam([here.dispatch]);
    }
    await t.registry.announce({ id: 'scheduler-unknown', version: '1', workers: 0 });

    for (let i = 0; i < 6; i += 1) {
      await round([here], 2);
    }

    expect(here.dispatch.counters.balanced).toBe(2); // each of them once
    workers.forEach((worker) => worker.roam([]));
  });
});
