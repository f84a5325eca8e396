import { type DispatchBench, type DispatchSetup, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';

describe('deaths of sessions', () => {
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

  it('gives the job of a worker whose process ended to another one at once, as a loss', async () => {
    const { dispatch, lines } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const first = await new ScriptedWorker().connect(dispatch);
    first.grant(1);
    const lost = await first.assignment();
    const second = await new ScriptedWorker().connect(dispatch);
    second.grant(1);

    await dispatch.gone({ worker: first.id, session: first.session, reason: 'process_ended', detail: 'exit code 137' });

    const assignment = await second.assignment();
    expect(assignment).toMatchObject({ number: 2, attempt: { jobId: `default:${ulid}` } });
    expect(assignment.attempt!.fence).toBeGreaterThan(lost.attempt!.fence);
    expect(await first.end).toMatchObject({ code: 'LEFT' });
    expect(await t.job(ulid as string)).toMatchObject({ state: 'running', workerLosses: 1, failures: 0 });
    expect(lines).toContainEqual({
      level: 'warn',
      message: 'job taken back from a dead worker',
      fields: expect.objectContaining({
        job: `default:${ulid}`,
        worker: first.id,
        reason: "the worker's process ended",
        lost: true,
      }) as object,
    });
  });

  it('refuses the late result of a zombie', async () => {
    const { dispatch } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const zombie = await new ScriptedWorker().connect(dispatch);
    zombie.grant(1);
    const assignment = await zombie.assignment();
    const heir = await new ScriptedWorker().connect(dispatch);
    heir.grant(1);
    await t.registry.declareGone(zombie.session, 'process_ended');
    await dispatch.gone({ worker: zombie.id, session: zombie.session, reason: 'process_ended', detail: '' });
    const inherited = await heir.assignment();

    const again = new ScriptedWorker({ id: zombie.id, session: 'its-next-life' });
    await again.connect(dispatch);
    again.finish([assignment]);
    await again.recorded();

    expect(dispatch.counters.staleAttempts).toBe(1);
    expect(await t.job(ulid as string)).toMatchObject({ state: 'running', attemptId: inherited.attempt!.attemptId });
  });

  it('returns the jobs of a superseded session for free', async () => {
    const { dispatch } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    await worker.assignment();

    await dispatch.gone({ worker: worker.id, session: worker.session, reason: 'superseded', detail: '' });

    const job = await t.until(
      'it is queued',
      () => t.job(ulid as string),
      ({ state }) => state === 'queued',
    );
    expect(job.workerLosses).toBe(0);
  });

  it('refuses a last will of somebody else', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);

    const will = dispatch.gone({ worker: 'other', session: worker.session, reason: 'process_ended', detail: '' });

    await expect(will).rejects.toMatchObject({ code: 'FOREIGN_SESSION' });
    expect((await t.registry.get(worker.session))?.state).toBe('alive');
  });

  it('gives a silent session up only when its lease cannot be alive any more, though its stream broke before', async () => {
    const { dispatch } = await t.scheduler({ leaseMs: 200, deadAfterMs: 400, lookIntervalMs: 50 });
    const [ulid] = await t.submit(1);
    const silent = await new ScriptedWorker().connect(dispatch);
    silent.grant(1);
    await silent.assignment();
    await t.until(
      'it leads',
      async () => dispatch.leader.isLeader,
      (leads) => leads,
    );
    const heir = await new ScriptedWorker().connect(dispatch);
    heir.grant(1);

    silent.break();
    expect(dispatch.isServing(silent.session)).toBe(false);
    expect((await t.job(ulid as string)).session).toBe(silent.session);
    heir.beatEvery(500);

    const assignment = await heir.assignment();
    heir.stopBeating();
    expect(assignment).toMatchObject({ number: 2 });
    expect((await t.registry.get(silent.session))?.death).toMatchObject({ reason: 'silent' });
    expect((await t.registry.get(heir.session))?.state).toBe('alive');
  });

  it('the sweep carries out a death that was declared and not carried out', async () => {
    const { dispatch } = await t.scheduler({ sweepIntervalMs: 50 });
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    await worker.assignment();

    await t.registry.declareGone(worker.session, 'process_ended');

    const job = await t.until(
      'it is queued',
      () => t.job(ulid as string),
      ({ state }) => state === 'queued',
    );
    expect(job.workerLosses).toBe(1);
    expect((await t.store.gates('default')).size).toBe(0);
  });

  it('carries out, in its sweep, a death whose carrier died halfway: the gate is closed, jobs are left', async () => {
    const session = { session: 'large', worker: 'large' };
    await t.registry.hello({
      ...session,
      number: 1,
      hasRun: false,
      leaseMs: 12_000,
      scheduler: 'scheduler-dead',
      info: { pools: ['default'], slots: 150, labels: {}, version: '1', host: 'h', pid: 1 },
    });
    await t.store.reconcile('default', { ...session, epoch: 1, held: [], last: true });
    const ulids = await t.submit(150);
    await t.store.claim('default', [{ ...session, epoch: 1, max: 150, free: 150 }]);
    await t.registry.declareGone('large', 'process_ended');
    const { remaining } = await t.store.reclaim('default', { session: 'large', losses: 150, reason: 'test' });

    await t.scheduler({ sweepIntervalMs: 50 });

    const last = await t.until(
      'the last one is queued',
      () => t.job(ulids.at(-1) as string),
      ({ state }) => state === 'queued',
    );
    expect(remaining).toBe(50);
    expect(last.workerLosses).toBe(1);
  });

  it('the sweep enters a session that only a gate knows as dead and moves its jobs after the timeout', async () => {
    await t.scheduler({ sweepIntervalMs: 50, deadAfterMs: 300 });
    await t.store.reconcile('default', { session: 'ghost', worker: 'ghost', epoch: 1, held: [], last: true });
    const [ulid] = await t.submit(1);
    await t.store.claim('default', [{ session: 'ghost', worker: 'ghost', epoch: 1, max: 1, free: 1 }]);

    await t.until(
      'it is queued',
      () => t.job(ulid as string),
      ({ state }) => state === 'queued',
    );

    expect((await t.registry.get('ghost'))?.death).toMatchObject({ reason: 'unregistered' });
  });

  it('carries a death out in each of its pools', async () => {
    const { dispatch } = await t.scheduler();
    const [red] = await t.submit(1, { pool: 'red' });
    const [blue] = await t.submit(1, { pool: 'blue' });
    const worker = await new ScriptedWorker({ pools: ['red', 'blue'], slots: 2 }).connect(dispatch);
    worker.grant(2);
    await t.until(
      'both are held',
      async () => worker.held.size,
      (held) => held === 2,
    );

    await dispatch.gone({ worker: worker.id, session: worker.session, reason: 'process_ended', detail: '' });

    await t.until(
      'red is queued',
      () => t.job(red as string, 'red'),
      ({ state }) => state === 'queued',
    );
    await t.until(
      'blue is queued',
      () => t.job(blue as string, 'blue'),
      ({ state }) => state === 'queued',
    );
  });
});
