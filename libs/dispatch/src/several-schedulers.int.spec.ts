import { startFaultProxy } from '@orchestrator/testing';

import { type DispatchBench, type DispatchSetup, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';
import { StandingClock } from './testing/standing-clock.js';

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

  it('a leader that was stopped declares nobody dead: STALE_TERM is counted, and it steps down', async () => {
    const clock = new StandingClock();
    const first = await t.scheduler({ lockClock: clock, deadAfterMs: 300, leaseMs: 100, lookIntervalMs: 50 });
    await t.until(
      'the first leads',
      async () => first.dispatch.leader.isLeader,
      (leads) => leads,
    );

    clock.stand();
    const second = await t.scheduler({ deadAfterMs: 60_000 });
    await t.until(
      'the second leads',
      async () => second.dispatch.leader.isLeader,
      (leads) => leads,
    );
    const silent = await new ScriptedWorker().connect(second.dispatch);

    await t.until(
      'its verdict is refused',
      async () => first.dispatch.counters.staleTerms,
      (count) => count > 0,
    );
    await t.until(
      'it has stepped down',
      async () => first.lines.filter(({ message }) => message === 'not leading any more').length,
      (count) => count === 1,
    );
    expect((await t.registry.get(silent.session))?.state).toBe('alive');
    expect(second.dispatch.counters.staleTerms).toBe(0);
    expect(second.dispatch.leader.isLeader).toBe(true);
    clock.go();
  });

  it('carry out one death at once, and each job moves once: as many are lost as it had slots', async () => {
    const schedulers = [await t.scheduler(), await t.scheduler()];
    const worker = await new ScriptedWorker({ slots: 130 }).connect(schedulers[0]!.dispatch);
    await t.submit(260);
    worker.grant(260, 130);
    await t.until(
      'all are held',
      async () => worker.held.size,
      (held) => held === 260,
    );

    const { id, session } = worker;
    const will = { worker: id, session, reason: 'process_ended', detail: 'exit code 137' } as const;
    await Promise.all(schedulers.map(({ dispatch }) => dispatch.gone(will)));

    await t.until(
      'all have moved',
      async () => schedulers.reduce((sum, { dispatch }) => sum + dispatch.counters.reassigned, 0),
      (moved) => moved >= 260,
    );
    const taken = schedulers.flatMap(({ lines }) => lines.filter(({ message }) => message.includes('taken back')));
    expect(taken).toHaveLength(260);
    expect(new Set(taken.map(({ fields }) => fields['job'])).size).toBe(260);
    expect(taken.filter(({ fields }) => fields['lost'] === true)).toHaveLength(130);
    expect((await t.store.gates('default')).size).toBe(0);
  });

  it('renew one session each in its time: a heartbeat to the scheduler that it has left ends that stream alone', async () => {
    const [here, there] = [await t.scheduler(), await t.scheduler()];
    const left = await new ScriptedWorker().connect(here.dispatch);
    const moved = new ScriptedWorker({ id: left.id, session: left.session }).open(there.dispatch);
    await moved.greet({ number: 2, hasRun: true });
    const before = (await t.registry.get(left.session))?.renewals ?? 0;

    left.beat();
    moved.beat();

    expect(await left.end).toMatchObject({ code: 'STALE_HELLO' });
    await moved.inbox.take('heartbeatAck');
    expect((await t.registry.get(left.session))?.renewals).toBe(before + 1);
    expect([here, there].map(({ dispatch }) => dispatch.counters.staleEpochs)).toEqual([1, 0]);
  });

  it('tell a session that one of them declared dead where it is connected', async () => {
    const here = await t.scheduler({ deadAfterMs: 300, leaseMs: 100, lookIntervalMs: 50 });
    const silent = await new ScriptedWorker().connect(here.dispatch);

    expect(await silent.inbox.take('sessionDead')).toEqual({ reason: 'silent' });
    expect(here.dispatch.isServing(silent.session)).toBe(false);
  });

  it('record once what a worker reports to both, since it moved before it was recorded', async () => {
    const proxy = await startFaultProxy(bench.server.port);
    const here = await t.scheduler({ poolsUrl: proxy.url, duties: false });
    const there = await t.scheduler({ duties: false });
    const worker = await new ScriptedWorker({ slots: 4 }).connect(here.dispatch);
    worker.keepReports();
    await t.submit(4);
    worker.grant(4);
    await t.until(
      'all are held',
      async () => worker.held.size,
      (held) => held === 4,
    );
    const [running, ...finished] = [...worker.held.values()];
    const swallowed = proxy.loseAnswers();
    worker.finish(finished);
    await swallowed;

    await worker.connect(there.dispatch);
    worker.finish([running!]);
    await t.until(
      'all succeed',
      () => t.store.counts('default'),
      ({ succeeded }) => succeeded === 4,
    );
    proxy.heal();

    await t.until(
      'the first one has its answers',
      async () => here.dispatch.counters.settled,
      (settled) => settled === 3,
    );
    for (const { attempt } of [running!, ...finished]) {
      expect(await t.job(attempt!.jobId.split(':')[1]!)).toMatchObject({
        state: 'succeeded',
        starts: 1,
        workerLosses: 0,
      });
    }
    expect([here, there].map(({ dispatch }) => dispatch.counters.staleAttempts)).toEqual([0, 0]);
    await proxy.stop();
  });
});
