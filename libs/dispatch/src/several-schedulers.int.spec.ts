import { type DispatchBench, type DispatchSetup, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';

describe('several schedulers on one Redis', () => {
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

  it('share the work, and no job runs twice', async () => {
    const starts = new Map<string, number>();
    const workers: ScriptedWorker[] = [];
    for (const { dispatch } of [await t.scheduler(), await t.scheduler()]) {
      for (const slots of [2, 8]) {
        workers.push(await new ScriptedWorker({ slots }).connect(dispatch));
      }
    }

    for (const worker of workers) {
      worker.work(worker.slots, ({ attempt }) => starts.set(attempt!.jobId, (starts.get(attempt!.jobId) ?? 0) + 1));
    }
    await t.submit(2_000);

    await t.until(
      'all succeed',
      () => t.store.counts('default'),
      ({ succeeded }) => succeeded === 2_000,
    );
    expect([...starts.values()].filter((count) => count !== 1)).toEqual([]);
    expect(starts.size).toBe(2_000);
    expect(workers.every(({ assigned }) => assigned > 0)).toBe(true);
  });

  it('follow each other as leader', async () => {
    const first = await t.scheduler();
    await t.until(
      'the first leads',
      async () => first.dispatch.leader.isLeader,
      (leads) => leads,
    );
    const second = await t.scheduler();
    const term = first.dispatch.leader.term ?? 0;

    await first.stop();

    await t.until(
      'the second leads',
      async () => second.dispatch.leader.term ?? 0,
      (next) => next > term,
    );
  });
});
