import { HeldState, VerdictKind } from '@orchestrator/proto-types';
import { type FaultProxy, startFaultProxy } from '@orchestrator/testing';

import { type DispatchBench, type DispatchSetup, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';
import { WEDGED_BEATS } from './wedge-watch.js';

describe('a store that does not answer', () => {
  let bench: DispatchBench;
  let t: DispatchSetup;
  let proxy: FaultProxy;
  beforeAll(async () => {
    bench = await startBench({ persistent: true });
    proxy = await startFaultProxy(bench.server.port);
  });
  afterAll(async () => {
    await proxy.stop();
    await bench.stop();
  });
  beforeEach(() => {
    t = bench.setup();
  });
  afterEach(() => t.stop());

  it('never repeats a claim without an answer: Rehello brings back what was claimed and never arrived', async () => {
    const { dispatch } = await t.scheduler({ poolsUrl: proxy.url, duties: false });
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    await t.submit(1);
    worker.finish([await worker.assignment()]); // Redis knows the script from now on
    await worker.recorded();
    const [ulid] = await t.submit(1);
    void proxy.loseAnswers();
    worker.grant(1);
    await t.until(
      'it was claimed',
      () => t.job(ulid as string),
      ({ state }) => state === 'running',
    );
    proxy.heal();

    await worker.inbox.take('rehello');
    await worker.greet();
    worker.grant(1);

    const assignment = await worker.assignment();
    expect(assignment).toMatchObject({ number: 1, attempt: { jobId: `default:${ulid}` } });
    worker.finish([assignment]);
    await worker.recorded();
    expect(await t.job(ulid as string)).toMatchObject({ state: 'succeeded', starts: 1, workerLosses: 0 });
  });

  it('answers unknown for a pool that cannot be asked, and Held as soon as it can', async () => {
    const { dispatch } = await t.scheduler({ poolsUrl: proxy.url, duties: false });
    const worker = await new ScriptedWorker().connect(dispatch);
    const [ulid] = await t.submit(1);
    worker.grant(1);
    const assignment = await worker.assignment();
    worker.break();

    void proxy.loseAnswers();
    await worker.connect(dispatch);
    expect(worker.lastVerdicts).toEqual([`${assignment.attempt?.attemptId} ${VerdictKind.UNKNOWN}`]);
    proxy.heal();

    expect(await worker.inbox.take('held')).toEqual({
      helloNumber: worker.helloNumber,
      verdicts: [{ attempt: assignment.attempt, kind: VerdictKind.HELD }],
    });
    worker.finish([assignment]);
    await worker.recorded();
    expect(await t.job(ulid as string)).toMatchObject({ state: 'succeeded', starts: 1 });
  });

  it('does not take a worker for wedged over what a Held has told it is gone', async () => {
    const { dispatch } = await t.scheduler({ poolsUrl: proxy.url, duties: false });
    const worker = await new ScriptedWorker().connect(dispatch);
    await t.submit(1);
    worker.grant(1);
    const { attempt, number } = await worker.assignment().then((assignment) => {
      worker.finish([assignment]);
      return assignment;
    });
    await worker.recorded();
    worker.break();

    void proxy.loseAnswers();
    await worker.open(dispatch).greet({ held: [{ attempt, number, state: HeldState.FINISHED }] });
    proxy.heal();
    expect((await worker.inbox.take('held')).verdicts).toEqual([{ attempt, kind: VerdictKind.GONE }]);
    for (let beat = 0; beat <= WEDGED_BEATS; beat += 1) {
      worker.beat();
      await worker.inbox.take('heartbeatAck');
    }

    expect(worker.inbox.count('rehello')).toBe(0);
    expect(dispatch.counters.wedged).toBe(0);
  });

  it('drops what arrives late for a worker that has said Hello again', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);
    const [ulid] = await t.submit(1);
    worker.grant(1);
    await worker.greet();

    worker.grant(1);

    const assignment = await worker.inbox.take('assign', ({ epoch }) => epoch === worker.epoch);
    expect(assignment.attempts).toHaveLength(1);
    expect(await t.job(ulid as string)).toMatchObject({ state: 'running', starts: 1 });
    expect(worker.held.size).toBe(1);
  });

  it('brings in results that were reported while Redis was stopped, and loses none', async () => {
    const { dispatch } = await t.scheduler();
    const ulids = await t.submit(50);
    const worker = await new ScriptedWorker({ slots: 50 }).connect(dispatch);
    worker.grant(50);
    await t.until(
      '50 are held',
      async () => worker.held.size,
      (held) => held === 50,
    );

    await bench.server.signal('SIGSTOP');
    worker.finish([...worker.held.values()]);
    worker.beat();
    await bench.server.signal('SIGCONT');

    await t.until(
      'all are recorded',
      () => t.store.counts('default'),
      ({ succeeded }) => succeeded === 50,
    );
    expect((await t.job(ulids[0] as string)).starts).toBe(1);
  });

  it('goes on after Redis was killed and started again, and runs no job twice', async () => {
    const { dispatch, lines } = await t.scheduler();
    await t.submit(300);
    const starts = new Map<string, number>();
    const workers = [new ScriptedWorker({ slots: 4 }), new ScriptedWorker({ slots: 4 })];
    for (const worker of workers) {
      await worker.connect(dispatch);
      worker.obey();
      worker.work(4, ({ attempt }) => starts.set(attempt!.jobId, (starts.get(attempt!.jobId) ?? 0) + 1));
    }
    await t.until(
      'some are done',
      () => t.store.counts('default'),
      ({ succeeded }) => succeeded > 20,
    );

    await bench.server.signal('SIGKILL');
    await bench.server.restart();

    await t.until(
      'all succeed',
      () => t.store.counts('default'),
      ({ succeeded }) => succeeded === 300,
    );
    expect(Math.max(...starts.values())).toBe(1);
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
