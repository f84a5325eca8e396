import { DEFAULT_TIMINGS } from '@orchestrator/heartbeat';
import { Hello, VerdictKind } from '@orchestrator/proto-types';

import { Outbox } from './outbox.js';
import { type DispatchBench, type DispatchSetup, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';

describe('sessions of workers', () => {
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

  it('welcomes with the timings that workers keep to', async () => {
    const { dispatch } = await t.scheduler();
    const worker = new ScriptedWorker().open(dispatch);

    worker.hello();

    expect(await worker.inbox.take('welcome')).toMatchObject({
      helloNumber: 1,
      schedulerId: 'scheduler-1',
      heartbeatIntervalMs: DEFAULT_TIMINGS.intervalMs,
      leaseMs: DEFAULT_TIMINGS.leaseMs,
    });
    expect(dispatch.connected()).toBe(1);
  });

  it('says its version, and warns once of a worker that is too far from it', async () => {
    const { dispatch, lines } = await t.scheduler({ version: '1.4.0' });
    const worker = new ScriptedWorker().open(dispatch);

    worker.hello({ version: '1.2.9' });
    const welcome = await worker.inbox.take('welcome');
    worker.hello({ version: '1.2.9' });
    await worker.inbox.take('welcome', ({ helloNumber }) => helloNumber === 2);

    expect(welcome.schedulerVersion).toBe('1.4.0');
    const warnings = lines.filter(({ level, fields }) => level === 'warn' && fields['version'] === '1.2.9');
    expect(warnings.map(({ fields }) => fields)).toMatchObject([{ worker: worker.id, own: '1.4.0' }]);
  });

  it('ends a stream whose first message is not a Hello', async () => {
    const { dispatch } = await t.scheduler();
    const worker = new ScriptedWorker().open(dispatch);

    worker.grant(1);

    expect(await worker.end).toMatchObject({ code: 'PROTOCOL' });
  });

  it('ends the stream of a worker that says too much of itself, and registers nothing of it', async () => {
    const { dispatch } = await t.scheduler();
    const worker = new ScriptedWorker().open(dispatch);

    worker.hello({ labels: { rack: 'x'.repeat(20_000) } });

    const detail = expect.stringMatching(
      /^labels, version and host have 200\d\d characters: expected at most 16384$/,
    ) as string;
    expect(await worker.end).toEqual({ code: 'PROTOCOL', detail });
    expect(await t.registry.get(worker.session)).toBeUndefined();
  });

  it('acknowledges a heartbeat when the renewal is in Redis', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);

    worker.beat();

    expect(await worker.inbox.take('heartbeatAck')).toEqual({ sequence: 1 });
    expect(await t.registry.ofWorker(worker.id)).toMatchObject({ session: worker.session, renewals: 2 });
  });

  it('ends the stream of a worker that does not see its acknowledgements', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);

    for (let i = 0; i < 3; i += 1) {
      worker.beat(0);
      await worker.inbox.take('heartbeatAck');
    }
    worker.beat(0);

    expect(await worker.end).toMatchObject({ code: 'UNACKNOWLEDGED' });
  });

  it('ignores credit and heartbeats of an old epoch', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);
    const old = worker.epoch;
    await worker.greet();
    await t.submit(1);

    worker.say({ $case: 'credit', value: { epoch: old, granted: 5, prefetch: 0 } });
    const renewals = (await t.registry.get(worker.session))?.renewals;
    worker.say({
      $case: 'heartbeat',
      value: {
        epoch: old,
        sequence: 9,
        acknowledged: 0,
        freeSlots: 1,
        load: 0,
        memoryUsedBytes: 0,
        memoryTotalBytes: 0,
      },
    });
    worker.beat();

    expect(await worker.inbox.take('heartbeatAck')).toEqual({ sequence: 1 });
    expect((await t.registry.get(worker.session))?.renewals).toBe((renewals ?? 0) + 1);
    expect((await t.store.counts('default')).queued).toBe(1);
  });

  it('refuses a Hello that is not higher than the highest seen', async () => {
    const { dispatch: here } = await t.scheduler();
    const { dispatch: there } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(here);
    await worker.greet();

    const old = new ScriptedWorker({ id: worker.id, session: worker.session }).open(there);
    old.hello({ number: 1, hasRun: true });

    expect(await old.end).toMatchObject({ code: 'STALE_HELLO' });
    worker.beat();
    await worker.inbox.take('heartbeatAck');
  });

  it('keeps the job of a worker whose stream broke and came back', async () => {
    const { dispatch } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    const assignment = await worker.assignment();

    worker.break();
    await worker.connect(dispatch);
    worker.finish([assignment]);
    await worker.recorded();

    expect(worker.lastVerdicts).toEqual([`${assignment.attempt?.attemptId} ${VerdictKind.HELD}`]);
    expect(await t.job(ulid as string)).toMatchObject({ state: 'succeeded', starts: 1, workerLosses: 0 });
  });

  it('keeps the job of a worker that moved to another scheduler, and ends the stream it left', async () => {
    const { dispatch: here } = await t.scheduler();
    const { dispatch: there } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(here);
    worker.grant(1);
    const assignment = await worker.assignment();

    await worker.connect(there);
    worker.finish([assignment]);
    await worker.recorded();

    expect(await t.job(ulid as string)).toMatchObject({ state: 'succeeded', starts: 1 });
  });

  it('asks for a Hello where a claim meets a gate that another scheduler has opened since', async () => {
    const { dispatch: here } = await t.scheduler();
    const { dispatch: there } = await t.scheduler();
    const left = await new ScriptedWorker().connect(here);
    left.grant(1);
    const moved = new ScriptedWorker({ id: left.id, session: left.session });
    moved.open(there).hello({ number: 2, hasRun: true });
    await moved.inbox.take('welcome');

    const [ulid] = await t.submit(1);

    await left.inbox.take('rehello');
    expect((await t.job(ulid as string)).state).toBe('queued');
  });

  it('answers gone for what it does not own and queues again what it owns and does not hold', async () => {
    const { dispatch } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    const { attempt } = await worker.assignment();
    worker.held.clear();
    worker.break();

    worker.open(dispatch);
    const stranger = { ...attempt!, attemptId: 'nobody.0' };
    const foreign = { ...attempt!, jobId: 'elsewhere:01ARZ3NDEKTSV4RRFFQ69G5FAV', attemptId: 'nobody.1' };
    await worker.greet({ held: [stranger, foreign].map((ref) => ({ attempt: ref, state: 1, number: 0 })) });

    expect(worker.lastVerdicts).toEqual([`nobody.0 ${VerdictKind.GONE}`, `nobody.1 ${VerdictKind.GONE}`]);
    expect(await t.job(ulid as string)).toMatchObject({ state: 'queued', starts: 0 });
  });

  it('reconciles more attempts than one call takes', async () => {
    const { dispatch } = await t.scheduler();
    await t.submit(600);
    const worker = await new ScriptedWorker({ slots: 600 }).connect(dispatch);
    worker.grant(600);
    await t.until(
      '600 are held',
      async () => worker.held.size,
      (held) => held === 600,
    );

    worker.break();
    await worker.connect(dispatch);

    expect(worker.lastVerdicts.filter((verdict) => verdict.endsWith(` ${VerdictKind.HELD}`))).toHaveLength(600);
  });

  it('ends the older stream when a session opens a newer one here', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);
    const olderEnd = worker.end;

    await worker.connect(dispatch);

    expect(await olderEnd).toMatchObject({ code: 'REPLACED' });
    expect(dispatch.connected()).toBe(1);
  });

  it('tells a superseded session when the newer one of its id sends its first heartbeat', async () => {
    const { dispatch } = await t.scheduler();
    const older = await new ScriptedWorker({ id: 'twin' }).connect(dispatch);
    older.beat();
    await older.inbox.take('heartbeatAck');

    const newer = await new ScriptedWorker({ id: 'twin' }).connect(dispatch);
    newer.beat();

    expect(await older.inbox.take('superseded')).toEqual({ bySession: newer.session });
  });

  it('tells a superseded session on another scheduler at its next heartbeat', async () => {
    const { dispatch: here } = await t.scheduler();
    const { dispatch: there } = await t.scheduler();
    const older = await new ScriptedWorker({ id: 'twin' }).connect(here);
    older.beat();
    await older.inbox.take('heartbeatAck');
    const newer = await new ScriptedWorker({ id: 'twin' }).connect(there);
    newer.beat();
    await newer.inbox.take('heartbeatAck');

    older.beat();

    expect(await older.inbox.take('superseded')).toEqual({ bySession: newer.session });
  });

  it('tells a session that it is dead at its next heartbeat, and welcomes its successor on the same stream', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);
    await t.registry.declareGone(worker.session, 'process_ended');

    worker.beat();
    await worker.inbox.take('sessionDead');
    worker.hello({ session: 'a-new-one', number: 1, hasRun: false });

    expect(await worker.inbox.take('welcome')).toMatchObject({ helloNumber: 1 });
    expect(dispatch.isServing('a-new-one')).toBe(true);
    expect(dispatch.isServing(worker.session)).toBe(false);
  });

  it('answers a session that says it has run and that nobody knows as dead', async () => {
    const { dispatch } = await t.scheduler();
    const worker = new ScriptedWorker().open(dispatch);

    worker.hello({ hasRun: true });

    expect(await worker.inbox.take('sessionDead')).toEqual({ reason: 'unregistered' });
  });

  it('cuts off a worker that does not read, alone', async () => {
    const { dispatch } = await t.scheduler();
    const outbox = new Outbox({ maxMessages: 4_096, maxBytes: 300_000 });
    const connection = dispatch.acceptWorker(outbox);
    const reader = outbox[Symbol.asyncIterator]();
    const value = Hello.fromPartial({ workerId: 'slow', session: 'slow', number: 1, pools: ['default'], slots: 100 });
    connection.receive({ message: { $case: 'hello', value } });
    const welcome = (await reader.next()).value?.message;
    const epoch = welcome?.$case === 'welcome' ? welcome.value.epoch : 0;

    connection.receive({ message: { $case: 'credit', value: { epoch, granted: 100, prefetch: 0 } } });
    await t.submit(4, { spec: { stdin: 'x'.repeat(200_000) } });

    await t.until(
      'it is cut off',
      async () => outbox.closeReason?.code,
      (code) => code === 'SLOW_CONSUMER',
    );
    const healthy = await new ScriptedWorker().connect(dispatch);
    healthy.beat();
    await healthy.inbox.take('heartbeatAck');
  });
});
