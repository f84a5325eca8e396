import { Outcome, ReturnReason } from '@orchestrator/proto-types';

import { type DispatchBench, type DispatchSetup, startBench } from './testing/dispatch-bench.js';
import { ScriptedWorker } from './testing/scripted-worker.js';
import { StandingClock } from './testing/standing-clock.js';

describe('assigning jobs and recording results', () => {
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

  it('assigns in the order of priority, then of submission', async () => {
    const { dispatch } = await t.scheduler();
    const low = await t.submit(2);
    const high = await t.submit(1, { priority: 5 });
    const worker = await new ScriptedWorker({ slots: 3 }).connect(dispatch);

    worker.grant(3);

    const assigned = await worker.assignments();
    expect(assigned.map(({ attempt }) => attempt?.jobId)).toEqual([...high, ...low].map((ulid) => `default:${ulid}`));
    expect(assigned[0]).toMatchObject({ number: 1, specJson: expect.stringContaining('"command":"true"') as string });
  });

  it('assigns a job at once when it is submitted to an idle worker', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);

    const [ulid] = await t.submit(1);

    expect((await worker.assignment()).attempt?.jobId).toBe(`default:${ulid}`);
  });

  it('claims behind a submission of its own, without news of it', async () => {
    const deaf = { subscribe: () => () => undefined };
    const clock = new StandingClock();
    const { dispatch } = await t.scheduler({ news: deaf, clock, duties: false });
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    clock.stand();
    const [ulid = ''] = await t.submit(1);

    // Again: a claim of before may be under way, and it is the news that count then.
    const submitted = async (): Promise<number> => {
      await dispatch.submitting('default', [{ ulid }]);
      return worker.assigned;
    };
    await t.until('the job is assigned', submitted, (assigned) => assigned === 1);
    clock.go();

    expect((await worker.assignment()).attempt?.jobId).toBe(`default:${ulid}`);
  });

  it('assigns what nobody has told it of, also when it is due later', async () => {
    const deaf = { subscribe: () => () => undefined };
    const { dispatch } = await t.scheduler({ news: deaf });
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.work(1, () => undefined);
    await t.submit(1);
    await t.submit(1, { delayMs: 200 });

    await t.until(
      'both succeed',
      () => t.store.counts('default'),
      ({ succeeded }) => succeeded === 2,
    );
  });

  it('assigns each job once where a claim behind its submission and the news of it meet', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker({ slots: 1 }).connect(dispatch);
    worker.work(1, () => undefined);

    for (let i = 0; i < 100; i += 1) {
      const stored = t.submit(1);
      void dispatch.submitting('default', [{ ulid: 'no such job' }]);
      const [ulid = ''] = await stored;
      void dispatch.submitting('default', [{ ulid }]);
    }

    await t.until(
      '100 jobs succeed',
      () => t.store.counts('default'),
      ({ succeeded }) => succeeded === 100,
    );
    expect(worker.assigned).toBe(100);
  });

  it('never exceeds the credit, however much is queued', async () => {
    const { dispatch } = await t.scheduler();
    await t.submit(600);
    const workers = await Promise.all([1, 2, 3].map((slots) => new ScriptedWorker({ slots }).connect(dispatch)));
    let over = 0;

    for (const worker of workers) {
      worker.work(worker.slots, () => (over += worker.assigned > worker.granted ? 1 : 0));
    }

    await t.until(
      '600 jobs succeed',
      () => t.store.counts('default'),
      ({ succeeded }) => succeeded === 600,
    );
    expect(over).toBe(0);
    expect(workers.reduce((sum, { assigned }) => sum + assigned, 0)).toBe(600);
  });

  it('fills the free slots of many workers before it prefetches for any, though a claim names few of them', async () => {
    const { dispatch } = await t.scheduler();
    const workers = await Promise.all(Array.from({ length: 40 }, () => new ScriptedWorker().connect(dispatch)));
    workers.forEach((worker) => worker.grant(6, 5));

    await t.submit(40);
    await Promise.all(workers.map((worker) => worker.assignment()));
    expect(workers.map(({ assigned }) => assigned)).toEqual(Array(40).fill(1));

    await t.submit(200);
    await t.until(
      'the rest is prefetched',
      () => t.store.counts('default'),
      ({ running }) => running === 240,
    );
  });

  it('fills free slots before it prefetches, and prefetches no job that lost workers', async () => {
    const { dispatch } = await t.scheduler();
    const workers = [new ScriptedWorker(), new ScriptedWorker()];
    await Promise.all(workers.map((worker) => worker.connect(dispatch)));
    const [first, second] = workers as [ScriptedWorker, ScriptedWorker];
    first.grant(2, 1);
    second.grant(2, 1);

    await t.submit(2);

    await Promise.all([first.assignment(), second.assignment()]);
  });

  it('says Recorded only after the result is in the store', async () => {
    const { dispatch } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    const assignment = await worker.assignment();

    worker.finish([assignment], {
      outcome: Outcome.FAILED,
      exitCode: 3,
      failureReason: 'exit_code',
      resultJson: '{"a":1}',
    });

    expect(await worker.recorded()).toEqual([assignment.attempt]);
    const job = await t.job(ulid as string);
    expect(job).toMatchObject({ state: 'failed', worker: worker.id, end: { exitCode: 3, result: { a: 1 } } });
  });

  it('answers Recorded to a result that is sent twice, and accepts it once', async () => {
    const { dispatch } = await t.scheduler();
    await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    const assignment = await worker.assignment();

    worker.finish([assignment]);
    await worker.recorded();
    worker.finish([assignment]);

    expect(await worker.recorded()).toEqual([assignment.attempt]);
    expect(await t.store.counts('default')).toMatchObject({ succeeded: 1, running: 0 });
  });

  it('counts and logs a stale result, changes nothing, and lets the worker forget it', async () => {
    const { dispatch, lines } = await t.scheduler();
    const [ulid] = await t.submit(1);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    const assignment = await worker.assignment();
    const stranger = { ...assignment, attempt: { ...assignment.attempt!, attemptId: 'nobody.0' } };

    worker.finish([stranger]);

    expect(await worker.recorded()).toEqual([stranger.attempt]);
    expect(dispatch.counters.staleAttempts).toBe(1);
    expect(lines).toContainEqual(
      expect.objectContaining({
        fields: expect.objectContaining({ code: 'stale_attempt', attempt: 'nobody.0' }) as object,
      }),
    );
    expect((await t.job(ulid as string)).state).toBe('running');
  });

  it('puts what was given back unstarted at its old place, without counting a start', async () => {
    const { dispatch } = await t.scheduler();
    const [first] = await t.submit(2);
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);
    const assignment = await worker.assignment();

    worker.giveBack(assignment, ReturnReason.UNSTARTED);
    await worker.recorded();
    worker.grant(1);

    const again = await worker.assignment();
    expect(again).toMatchObject({ number: 1, attempt: { jobId: `default:${first}` } });
  });

  it('lets the pools of a worker take turns', async () => {
    const { dispatch } = await t.scheduler();
    await t.submit(6, { pool: 'red' });
    await t.submit(6, { pool: 'blue' });
    const worker = await new ScriptedWorker({ pools: ['red', 'blue'] }).connect(dispatch);
    const ahead: number[] = [];

    for (let i = 0; i < 12; i += 1) {
      worker.grant(1);
      const assignment = await worker.assignment();
      const isRed = assignment.attempt?.jobId.startsWith('red:') === true;
      ahead.push((ahead.at(-1) ?? 0) + (isRed ? 1 : -1));
      worker.finish([assignment]);
    }

    // One that waits for Redis is passed over, and has the next turn.
    expect(ahead.filter((jobs) => Math.abs(jobs) > 2)).toEqual([]);
    expect(ahead.at(-1)).toBe(0);
  });

  it('promotes a delayed job when it is due', async () => {
    const { dispatch } = await t.scheduler();
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(1);

    const [ulid] = await t.submit(1, { delayMs: 50 });

    expect((await worker.assignment()).attempt?.jobId).toBe(`default:${ulid}`);
  });

  it('retries a failed job with attempts left', async () => {
    const { dispatch } = await t.scheduler();
    const backoff = { type: 'fixed', delayMs: 20, factor: 1, maxDelayMs: 20, jitter: 'none' } as const;
    await t.submit(1, { rule: { attempts: 2, backoff } });
    const worker = await new ScriptedWorker().connect(dispatch);
    worker.grant(2);

    worker.finish([await worker.assignment()], { outcome: Outcome.FAILED, exitCode: 1 });

    expect(await worker.assignment()).toMatchObject({ number: 2 });
  });

  it('packs many assignments into frames of at most 256 KiB', async () => {
    const { dispatch } = await t.scheduler();
    await t.submit(10, { spec: { stdin: 'x'.repeat(100_000) } });
    const worker = await new ScriptedWorker({ slots: 10 }).connect(dispatch);

    worker.grant(10);

    const sizes: number[] = [];
    while (sizes.reduce((sum, size) => sum + size, 0) < 10) {
      sizes.push((await worker.assignments()).length);
    }
    expect(Math.max(...sizes)).toBe(2);
  });
});
