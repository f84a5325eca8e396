import type { Backoff, JobRule } from '@orchestrator/core';

import type { ClaimedJob, Settlement } from '../../store.js';
import { aJob, newUlid } from '../../testing/a-job.js';
import { cancellation, failure, success } from '../../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { settle } from './settle.js';

describe('settle', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(() => {
    q = bench.setup();
  });
  afterEach(() => q.assertInvariants());
  afterAll(() => bench.stop());

  const retriedAtOnce: JobRule = {
    attempts: 100,
    backoff: { type: 'fixed', delayMs: 0, factor: 1, maxDelayMs: 0, jitter: 'none' },
  };

  const send = (number: number, ends: Settlement[], random = 0) =>
    q.send(settle, number, { ends: ends.map((end) => ({ ...end, random })), outputCapBytes: 1_024 });

  /** Lets the attempt fail with a chosen random number and answers how long the job waits. */
  async function waitAfterFailure(job: ClaimedJob, random = 0): Promise<number> {
    const before = Number((await q.record(job.ulid))['failures'] ?? 0);
    await send(before + 1, [failure(job)], random);
    const line = (await q.events()).filter((one) => one.startsWith(`retrying ${job.ulid}`)).at(-1);
    const ended = (await q.redis.lindex(`${q.base}h:${job.ulid}`, -1))?.split('\t')[4];
    return Number(line?.split(' ')[4]) - Number(ended);
  }

  async function waits(rule: JobRule, failures: number, random = 0): Promise<number[]> {
    const found = [];
    await q.openGate('a');
    await q.add(aJob({ attempts: 100, ...rule }));
    for (let i = 0; i < failures; i++) {
      const { jobs } = await q.store.claim(q.pool, [aWant('a')]);
      found.push(await waitAfterFailure(jobs[0] as ClaimedJob, random));
      await q.makeDue();
    }
    return found;
  }

  it('accepts nothing that another session says, though it knows the attempt', async () => {
    const job = await q.run();

    const verdicts = await q.store.settle(q.pool, [{ ...failure(job), by: 'session-b' }]);

    expect(verdicts).toEqual(['stale']);
    expect((await q.record(job.ulid))['state']).toBe('running');
    expect(await q.store.settle(q.pool, [{ ...success(job), by: job.session }])).toEqual(['accepted']);
  });

  it('accepts a success: the end is kept with the job, which expires after its retention', async () => {
    const job = await q.run(aJob({ retainMs: 5_000, batchId: 'b1' }));
    const end = success(job).end;

    const verdicts = await q.store.settle(q.pool, [success(job, { end: { ...end, result: { list: [] } } })]);

    const record = await q.record(job.ulid);
    expect(verdicts).toEqual(['accepted']);
    expect(record['state']).toBe('succeeded');
    expect(JSON.parse(record['end'] ?? '')).toEqual({ ...end, result: { list: [] } });
    expect(await q.redis.zscore(`${q.base}succeeded`, job.ulid)).toBe(String(Number(record['finished']) + 5_000));
    expect(await q.redis.hgetall(`${q.base}b:b1`)).toEqual({ queued: '0', running: '0', succeeded: '1', kept: '1' });
    expect(await q.redis.exists(`${q.base}s:session-a`)).toBe(0);
    expect((await q.events()).at(-1)).toBe(`succeeded ${job.ulid} 1 worker-of-session-a`);
  });

  it('keeps what is done for seven days where the job says nothing', async () => {
    const job = await q.run();

    await q.store.settle(q.pool, [success(job)]);

    const finished = Number((await q.record(job.ulid))['finished']);
    expect(Number(await q.redis.zscore(`${q.base}succeeded`, job.ulid))).toBe(finished + 7 * 86_400_000);
  });

  it('fails a job whose attempts are used up, and cancels one that was cancelled', async () => {
    const failed = await q.run();
    const cancelled = await q.run();

    const verdicts = await q.store.settle(q.pool, [failure(failed, { exitCode: 3 }), cancellation(cancelled)]);

    expect(verdicts).toEqual(['accepted', 'accepted']);
    expect(await q.record(failed.ulid)).toMatchObject({ state: 'failed', failures: '1' });
    expect(JSON.parse((await q.record(failed.ulid))['end'] ?? '')).toMatchObject({ exitCode: 3 });
    expect(await q.state(cancelled.ulid)).toBe('cancelled');
  });

  it('answers "repeated" to a result that it has accepted, whatever came of it, and changes nothing', async () => {
    const done = await q.run();
    const retried = await q.run(aJob(retriedAtOnce));
    const ends = [success(done), failure(retried)];
    await send(1, ends);
    const before = await Promise.all([q.record(done.ulid), q.record(retried.ulid)]);

    const sameNumber = await send(1, ends);
    const newNumber = await send(2, ends);
    const other = await q.store.settle(q.pool, [failure(done)]);

    expect([sameNumber, newNumber, other]).toEqual([['repeated', 'repeated'], ['repeated', 'repeated'], ['repeated']]);
    expect(await Promise.all([q.record(done.ulid), q.record(retried.ulid)])).toEqual(before);
  });

  it('answers the second of two results of one call as repeated', async () => {
    const job = await q.run();

    expect(await q.store.settle(q.pool, [success(job), failure(job)])).toEqual(['accepted', 'repeated']);
    expect(await q.state(job.ulid)).toBe('succeeded');
  });

  it('refuses an attempt, a fence or a job that does not hold', async () => {
    const job = await q.run();

    const verdicts = await q.store.settle(q.pool, [
      success({ ...job, fence: job.fence - 1 }),
      success({ ...job, fence: job.fence + 1 }),
      success({ ...job, attemptId: 'somebody.0' }),
      success({ ...job, ulid: newUlid() }),
    ]);

    expect(verdicts).toEqual(['stale', 'stale', 'stale', 'stale']);
    expect(await q.state(job.ulid)).toBe('running');
  });

  it('refuses the result of an attempt that was taken back, also while the job waits', async () => {
    const lost = await q.run();
    await q.store.giveBack(q.pool, [{ ...lost, reason: 'lease_lost', started: true }]);
    const whileQueued = await q.store.settle(q.pool, [success(lost)]);
    const { jobs } = await q.store.claim(q.pool, [aWant('session-a')]);

    const whileRunning = await q.store.settle(q.pool, [success(lost)]);

    // What its own report has closed is answered as a repetition; either way nothing changes.
    expect([whileQueued, whileRunning]).toEqual([['repeated'], ['stale']]);
    expect(await q.record(lost.ulid)).toMatchObject({ state: 'running', attempt: jobs[0]?.attemptId });
  });

  it('refuses what arrives behind a later call of the same client', async () => {
    const job = await q.run();
    await send(9, []);

    await expect(send(8, [success(job)])).rejects.toThrow('STALE_OP');
    expect(await q.state(job.ulid)).toBe('running');
  });

  describe('after a failure with attempts left', () => {
    it('waits, notes the attempt in the history and gets a new place when it is due', async () => {
      const job = await q.run(aJob({ attempts: 2 }));
      const place = (await q.record(job.ulid))['place'];

      await q.store.settle(q.pool, [failure(job, { exitCode: 9 })]);

      const record = await q.record(job.ulid);
      expect(record).toMatchObject({ state: 'scheduled', why: 'backoff', failures: '1' });
      expect(record).not.toHaveProperty('place');
      const [start, fence, worker, , , outcome, detail] =
        (await q.redis.lindex(`${q.base}h:${job.ulid}`, 0))?.split('\t') ?? [];
      expect([start, fence, worker, outcome]).toEqual(['1', String(job.fence), 'worker-of-session-a', 'failed']);
      expect(JSON.parse(detail ?? '')).toEqual(failure(job, { exitCode: 9 }).end);
      await q.makeDue();
      await q.store.promote(q.pool);
      expect(Number((await q.record(job.ulid))['place'])).toBeGreaterThan(Number(place));
    });

    it('fails with the last attempt', async () => {
      const first = await q.run(aJob({ attempts: 2 }));
      await q.store.settle(q.pool, [failure(first)]);
      await q.makeDue();
      const { jobs } = await q.store.claim(q.pool, [aWant('session-a')]);

      await q.store.settle(q.pool, [failure(jobs[0] as ClaimedJob)]);

      expect(jobs[0]?.number).toBe(2);
      expect(await q.record(first.ulid)).toMatchObject({ state: 'failed', failures: '2', starts: '2' });
      expect(await q.redis.llen(`${q.base}h:${first.ulid}`)).toBe(1);
    });

    it('is not retried with an exit code that the job excludes, or when the worker says so', async () => {
      const rule = { attempts: 5, noRetryExitCodes: [2, 64] };
      const excluded = await q.run(aJob(rule));
      const said = await q.run(aJob(rule));
      const retried = await q.run(aJob(rule));

      await q.store.settle(q.pool, [
        failure(excluded, { exitCode: 64 }),
        failure(said, { exitCode: 1, retryable: false }),
        failure(retried, { exitCode: 1 }),
      ]);

      const states = await Promise.all([excluded, said, retried].map((job) => q.state(job.ulid)));
      expect(states).toEqual(['failed', 'failed', 'scheduled']);
    });

    it('is not retried once it is to be cancelled, and its own end counts', async () => {
      const job = await q.run(aJob({ attempts: 5 }));
      await q.patch(job.ulid, { cancel: 1 });
      await q.redis.hset(`${q.base}orders`, job.ulid, 'cancel');

      await q.store.settle(q.pool, [failure(job)]);

      expect(await q.state(job.ulid)).toBe('failed');
      expect(await q.redis.hlen(`${q.base}orders`)).toBe(0);
    });

    it('keeps the latest 20 attempts', async () => {
      await waits(retriedAtOnce, 23);

      const [ulid] = await q.redis.zrange(`${q.base}scheduled`, '0', '-1');
      const starts = (await q.redis.lrange(`${q.base}h:${ulid}`, '0', '-1')).map((entry) =>
        Number(entry.split('\t')[0]),
      );
      expect(starts).toEqual(Array.from({ length: 20 }, (_, i) => i + 4));
    });
  });

  describe('back-off', () => {
    const backoff = (fields: Partial<Backoff>): JobRule => ({
      backoff: { type: 'exponential', delayMs: 1_000, factor: 2, maxDelayMs: 300_000, jitter: 'none', ...fields },
    });

    it.each([
      ['exponential', backoff({ factor: 3, maxDelayMs: 20_000 }), [1_000, 3_000, 9_000, 20_000, 20_000]],
      ['linear', backoff({ type: 'linear', maxDelayMs: 2_500 }), [1_000, 2_000, 2_500]],
      ['fixed', backoff({ type: 'fixed' }), [1_000, 1_000, 1_000]],
      ['none', backoff({ delayMs: 0 }), [0, 0]],
    ])('of type %s grows to its limit', async (_, rule, expected) => {
      expect(await waits(rule, expected.length)).toEqual(expected);
    });

    it('has full jitter above a floor of half', async () => {
      const rule = backoff({ jitter: 'full', type: 'fixed' });

      expect([await waits(rule, 1, 0), await waits(rule, 1, 0.5)]).toEqual([[500], [750]]);
      expect((await waits(rule, 1, 0.999999))[0]).toBeGreaterThanOrEqual(999);
    });

    it('is exponential with jitter where the job says nothing', async () => {
      expect(await waits({}, 3, 0)).toEqual([500, 1_000, 2_000]);
    });

    it('does not overflow after a thousand failures', async () => {
      const job = await q.run(aJob({ attempts: 5_000, ...backoff({ factor: 10 }) }));
      await q.patch(job.ulid, { failures: 1_500 });

      await q.store.settle(q.pool, [failure(job)]);

      expect(await q.state(job.ulid)).toBe('scheduled');
    });
  });

  describe('a failure of what was frozen once', () => {
    it('counts as a loss: back at its old place, no attempt used', async () => {
      const job = await q.run();
      const place = (await q.record(job.ulid))['place'];

      const verdicts = await q.store.settle(q.pool, [failure(job, { wasFrozen: true })]);

      expect(verdicts).toEqual(['accepted']);
      const record = await q.record(job.ulid);
      expect(record).toMatchObject({ state: 'queued', losses: '1', place });
      expect(record['failures']).toBeUndefined();
    });

    it('does not touch a success', async () => {
      const job = await q.run();

      await q.store.settle(q.pool, [success(job, { wasFrozen: true })]);

      expect(await q.state(job.ulid)).toBe('succeeded');
    });
  });
});
