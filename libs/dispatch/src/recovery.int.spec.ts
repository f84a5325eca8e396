import { HeldState, OutputStream, VerdictKind } from '@orchestrator/proto-types';
import { type FaultProxy, startFaultProxy } from '@orchestrator/testing';

import { type DispatchBench, type DispatchSetup, type Scheduler, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';

describe('recovery of a pool', () => {
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

  /** What is written from here on is the lost tail. */
  const save = async (): Promise<void> => void (await bench.server.client().save());
  const loseTail = async (): Promise<void> => {
    await bench.server.signal('SIGKILL');
    await bench.server.restart();
  };
  const logged = ({ lines }: Scheduler, text: string): number =>
    lines.filter(({ message }) => message.includes(text)).length;
  const holding = async (scheduler: Scheduler): Promise<ScriptedWorker> => {
    const worker = await new ScriptedWorker().connect(scheduler.dispatch);
    worker.obey();
    return worker;
  };
  const ended = (scheduler: Scheduler): Promise<number> =>
    t.until(
      'the recovery is over',
      async () => logged(scheduler, 'recovery of a pool is over'),
      (count) => count > 0,
    );

  it('adopts what workers of several schedulers hold after a lost tail: nothing is stranded, nothing runs twice', async () => {
    const schedulers = [await t.scheduler(), await t.scheduler()];
    const workers = await Promise.all(schedulers.map(holding));
    const idle = await holding(schedulers[0] as Scheduler);
    const ulids = await t.submit(2);
    await save();
    const held = [];
    for (const worker of workers) {
      worker.grant(1);
      held.push(await worker.assignment());
    }
    idle.grant(1);

    await loseTail();

    await Promise.all(schedulers.map(ended));
    for (const [index, worker] of workers.entries()) {
      worker.finish([held[index]!]);
      await worker.recorded();
    }
    for (const ulid of ulids) {
      expect(await t.job(ulid)).toMatchObject({ state: 'succeeded', starts: 1, workerLosses: 0 });
    }
    expect(idle.assigned).toBe(0);
    for (const { dispatch } of schedulers) {
      expect(dispatch.counters).toMatchObject({ recoveries: 1, adopted: 1, staleAttempts: 0 });
    }
    expect(schedulers.map((scheduler) => logged(scheduler, 'a pool is on another server'))).toEqual([1, 1]);
    expect(schedulers.map((scheduler) => logged(scheduler, 'recovery of a pool is over'))).toEqual([1, 1]);
  });

  it('claims nothing while an awaited session has not reconciled, and claims at once when it has', async () => {
    const scheduler = await t.scheduler({ duties: false });
    const silent = await new ScriptedWorker().connect(scheduler.dispatch);
    const idle = await holding(scheduler);
    const [ulid] = await t.submit(1);
    await save();
    silent.grant(1);
    const held = await silent.assignment();
    await loseTail();
    await silent.inbox.take('rehello');
    idle.grant(1);
    await t.until(
      'only the silent one is awaited',
      () => t.store.recovery('default').catch(() => undefined),
      (recovery) =>
        recovery?.begun === true && recovery.notBeforeMs === 0 && recovery.awaited.join() === silent.session,
    );
    expect(idle.assigned).toBe(0);

    await silent.greet();

    await ended(scheduler);
    expect(silent.inbox.count('rehello')).toBe(0);
    silent.finish([held]);
    await silent.recorded();
    expect(await t.job(ulid as string)).toMatchObject({ state: 'succeeded', starts: 1 });
    expect(idle.assigned).toBe(0);
  });

  it('leaves what is frozen `unknown` until every awaited session has come, and then says `held`', async () => {
    const scheduler = await t.scheduler({ duties: false });
    const frozen = await new ScriptedWorker().connect(scheduler.dispatch);
    const [ulid] = await t.submit(1);
    frozen.grant(1);
    const { attempt, number } = await frozen.assignment();
    const held = [{ attempt, number, state: HeldState.FROZEN }];
    const other = await new ScriptedWorker().connect(scheduler.dispatch);
    await save();
    await loseTail();
    await frozen.inbox.take('rehello');

    await frozen.greet({ held });
    expect(frozen.lastVerdicts).toEqual([`${attempt?.attemptId} ${VerdictKind.UNKNOWN}`]);
    frozen.beat();
    await frozen.inbox.take('heartbeatAck');
    await t.until(
      'only the other one is awaited',
      () => t.store.recovery('default').catch(() => undefined),
      (recovery) => recovery?.notBeforeMs === 0 && recovery.awaited.join() === other.session,
    );
    expect(frozen.inbox.count('held')).toBe(0);
    await other.greet();

    expect((await frozen.inbox.take('held')).verdicts).toEqual([{ attempt, kind: VerdictKind.HELD }]);
    frozen.finish([{ ...held[0]!, specJson: '', traceparent: '' }]);
    await frozen.recorded();
    expect(await t.job(ulid as string)).toMatchObject({ state: 'succeeded', starts: 1 });
    expect(scheduler.dispatch.counters.staleAttempts).toBe(0);
  });

  it('takes a result whose claim is in the lost tail from the worker that was given it: adopted and settled', async () => {
    const { dispatch } = await t.scheduler({ duties: false });
    const worker = await new ScriptedWorker().connect(dispatch);
    const [ulid] = await t.submit(1);
    await save();
    worker.grant(1);
    const held = await worker.assignment();

    await loseTail();
    worker.finish([{ ...held, number: 3 }]);

    await worker.recorded();
    expect(await t.job(ulid as string)).toMatchObject({ state: 'succeeded', starts: 3 });
    expect(dispatch.counters.staleAttempts).toBe(0);
  });

  it('stores output that comes between the failover and the adoption of its attempt', async () => {
    const { dispatch } = await t.scheduler({ duties: false });
    const worker = await new ScriptedWorker().connect(dispatch);
    const [ulid = ''] = await t.submit(1);
    await save();
    worker.grant(1);
    const { attempt } = await worker.assignment();
    await loseTail();

    const chunk = { attempt, stream: OutputStream.STDOUT, offset: 0, sequence: 1, data: Buffer.from('hello') };
    const acknowledged = worker.output(dispatch, [chunk]);
    await worker.inbox.take('rehello');
    expect(await t.store.readOutput('default', ulid, 1)).toBeUndefined();
    await worker.greet();

    expect((await acknowledged).marks).toMatchObject([{ endOffset: 5 }]);
    const output = await t.store.readOutput('default', ulid, 1);
    expect(output?.chunks.map(({ data }) => data.toString())).toEqual(['hello']);
  });

  it('asks also a session whose registration is in the lost tail: it is dead, and its job moves', async () => {
    const scheduler = await t.scheduler({ duties: false });
    const [ulid] = await t.submit(1);
    await save();
    const lost = await new ScriptedWorker().connect(scheduler.dispatch);
    lost.grant(1);
    await lost.assignment();

    await loseTail();
    await lost.inbox.take('rehello');
    lost.hello();

    expect(await lost.inbox.take('sessionDead')).toEqual({ reason: 'unregistered' });
    const heir = await holding(scheduler);
    heir.grant(1);
    expect(await heir.assignment()).toMatchObject({ number: 1, attempt: { jobId: `default:${ulid}` } });
  });
});

describe('a session whose scheduler cannot reach the pool', () => {
  let bench: DispatchBench;
  let t: DispatchSetup;
  let proxy: FaultProxy;
  beforeAll(async () => {
    bench = await startBench();
    proxy = await startFaultProxy(bench.server.port);
    t = bench.setup();
  });
  afterAll(async () => {
    await t.stop();
    await proxy.stop();
    await bench.stop();
  });

  it('is told Reconnect after two heartbeat intervals, and takes what it runs to another scheduler', async () => {
    const { dispatch: cut } = await t.scheduler({ poolsUrl: proxy.url, duties: false, heartbeatIntervalMs: 200 });
    const { dispatch: other } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(cut);
    const [ulid] = await t.submit(1);
    worker.grant(1);
    const assignment = await worker.assignment();
    worker.break();
    void proxy.loseAnswers();
    await worker.connect(cut);

    expect(await worker.inbox.take('reconnect')).toEqual({ reason: 'pool "default" cannot be asked from here' });
    proxy.heal();
    await worker.connect(other);
    worker.finish([assignment]);
    await worker.recorded();

    expect(await t.job(ulid as string)).toMatchObject({ state: 'succeeded', starts: 1 });
  });
});
