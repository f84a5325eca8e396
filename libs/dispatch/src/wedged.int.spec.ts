import { createDeferred } from '@orchestrator/lifecycle';
import { HeldState, VerdictKind } from '@orchestrator/proto-types';
import type { RedisQueueStore } from '@orchestrator/queue';

import { type DispatchBench, type DispatchSetup, type Scheduler, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';
import { WEDGED_BEATS } from './wedge-watch.js';

describe('a worker that beats but takes no work (rule 5)', () => {
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

  const beats = async (worker: ScriptedWorker, count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      worker.beat();
      await worker.inbox.take('heartbeatAck');
    }
  };
  const wedged = ({ lines }: Scheduler): unknown[] =>
    lines.filter(({ message }) => message.includes('wedged')).map(({ fields }) => fields['worker']);

  it('is named once, asked to say Hello again, and renewed as wedged until it grants credit', async () => {
    const scheduler = await t.scheduler();
    const worker = await new ScriptedWorker().connect(scheduler.dispatch);
    await t.submit(1);
    const other = await new ScriptedWorker().connect(scheduler.dispatch);
    other.grant(1);
    await other.assignment();
    await t.submit(1);
    await t.until(
      'it is known that a job waits',
      async () => {
        worker.beat();
        return worker.inbox.pull('rehello');
      },
      (rehello) => rehello !== undefined,
    );

    await worker.greet();
    await beats(worker, 4);

    expect(worker.inbox.count('rehello')).toBe(0);
    expect(wedged(scheduler)).toEqual([worker.id]);
    expect(scheduler.dispatch.counters.wedged).toBe(1);
    expect((await t.registry.get(worker.session))?.wedged).toBe(true);
    expect((await t.registry.get(other.session))?.wedged ?? false).toBe(false);

    worker.grant(1);
    await worker.assignment();
    await beats(worker, 1);

    expect((await t.registry.get(worker.session))?.wedged ?? false).toBe(false);
  });

  it('is not who heard Recorded behind its Welcome, and so reports nothing again', async () => {
    const mayGoOn = createDeferred();
    const settle: RedisQueueStore['settle'] = async (...ends) => {
      await mayGoOn.promise;
      return t.store.settle(...ends);
    };
    const store = new Proxy(t.store, {
      get: (target, name: keyof RedisQueueStore) => {
        const member: unknown = name === 'settle' ? settle : target[name];
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
    const { dispatch } = await t.scheduler({ store });
    const worker = await new ScriptedWorker().connect(dispatch);
    await t.submit(1);
    worker.grant(1);
    const { attempt, number, ...rest } = await worker.assignment();
    worker.finish([{ attempt, number, ...rest }]);

    await worker.greet({ held: [{ attempt, number, state: HeldState.FINISHED }] });
    expect(worker.lastVerdicts).toEqual([`${attempt?.attemptId} ${VerdictKind.HELD}`]);
    mayGoOn.resolve();
    await worker.recorded();
    await beats(worker, WEDGED_BEATS + 1);

    expect(dispatch.counters.wedged).toBe(0);
  });

  it('gets back, by reconcile, what it was assigned and does not run', async () => {
    const scheduler = await t.scheduler();
    const worker = await new ScriptedWorker({ slots: 2 }).connect(scheduler.dispatch);
    const [ulid] = await t.submit(1);
    worker.grant(2);
    const { attempt } = await worker.assignment();
    worker.held.clear();
    await beats(worker, 2);
    expect(worker.inbox.count('rehello')).toBe(0);

    worker.beat();
    await worker.inbox.take('rehello');
    await worker.greet();
    worker.grant(2);

    const again = await worker.assignment();
    expect(again).toMatchObject({ number: 1, attempt: { jobId: attempt!.jobId } });
    expect(again.attempt!.attemptId).not.toBe(attempt!.attemptId);
    expect(await t.job(ulid as string)).toMatchObject({ state: 'running', starts: 1, workerLosses: 0 });
    expect(wedged(scheduler)).toEqual([worker.id]);
  });
});
