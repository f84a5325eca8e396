import type { ClaimedJob, HeldAttempt, ReconcileReply } from '../store.js';
import { aChunk } from '../testing/a-chunk.js';
import { aJob, someJobs } from '../testing/a-job.js';
import { failure, returned, success } from '../testing/an-end.js';
import { savePool } from '../testing/lose-tail.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';

const ANOTHER_SERVER = 'e'.repeat(40);

describe('adoption', () => {
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

  /** What is done is lost; what it answers is not. */
  async function lose<T>(work: () => Promise<T>): Promise<T> {
    const bringBack = await savePool(q.redis, q.base);
    const kept = await work();
    await bringBack(ANOTHER_SERVER);
    return kept;
  }

  /** A job whose claim was lost. */
  async function runAndLose(job = aJob(), session = 'a'): Promise<ClaimedJob> {
    await q.openGate(session);
    await q.add(job);
    return lose(() => claim(session));
  }

  async function claim(session: string): Promise<ClaimedJob> {
    const epoch = Number(await q.redis.hget(`${q.base}gates`, session));
    return (await q.store.claim(q.pool, [aWant(session, { epoch })])).jobs[0] as ClaimedJob;
  }

  async function hello(
    session: string,
    held: readonly ClaimedJob[],
    state: HeldAttempt['state'] = 'running',
  ): Promise<ReconcileReply> {
    const request = { session, worker: `worker-of-${session}`, epoch: await q.now(), last: true };
    return q.store.reconcile(q.pool, { ...request, held: held.map((one) => ({ ...one, state })) });
  }

  const holder = (job: ClaimedJob) => ({ holder: { session: 'a', worker: 'worker-of-a', number: job.number } });

  it.each(['running', 'frozen', 'finished'] as const)(
    'adopts what is %s and which Redis believes queued',
    async (state) => {
      const job = await runAndLose(aJob({ batchId: 'b' }));
      expect(await q.state(job.ulid)).toBe('queued');

      const reply = await hello('a', [job], state);

      const verdicts = [state === 'frozen' ? 'unknown' : 'held'];
      expect(reply).toEqual({ verdicts, requeued: 0, adopted: 1, more: false, orders: [] });
      expect(await q.record(job.ulid)).toMatchObject({
        state: 'running',
        session: 'a',
        worker: 'worker-of-a',
        attempt: job.attemptId,
        fence: String(job.fence),
        starts: '1',
      });
      expect((await q.events()).at(-1)).toBe(`adopted ${job.ulid} 1 worker-of-a a`);
      expect(await q.store.appendOutput(q.pool, [aChunk(job, 'hello')])).toEqual([{ verdict: 'stored', endOffset: 5 }]);
      expect(await q.store.settle(q.pool, [success(job)])).toEqual(['accepted']);
    },
  );

  it('adopts nothing in a pool that never changed servers, nor what was claimed after it did', async () => {
    await q.openGate('a');
    const [ulid = ''] = await q.add(aJob());
    const invented = { ulid, attemptId: 'f.0', fence: 1, number: 1 } as ClaimedJob;

    expect(await hello('a', [invented])).toMatchObject({ verdicts: ['gone'], adopted: 0 });
    expect(await q.store.settle(q.pool, [{ ...success(invented), ...holder(invented) }])).toEqual(['stale']);

    const changedAtMs = (await q.now()) - 600_000;
    await q.redis.hset(`${q.base}calls`, 'recovered', changedAtMs);
    const later = { ...invented, fence: changedAtMs + 300_000 };
    expect(await hello('a', [later])).toMatchObject({ verdicts: ['gone'], adopted: 0 });
    expect(await q.state(invented.ulid)).toBe('queued');
  });

  it('adopts once, and answers held as often as it is asked', async () => {
    const job = await runAndLose();

    expect((await hello('a', [job])).adopted).toBe(1);
    expect(await hello('a', [job])).toMatchObject({ verdicts: ['held'], adopted: 0, requeued: 0 });
  });

  it('adopts what Redis believes to wait for its time', async () => {
    const job = await q.run(aJob({ attempts: 3 }), 'a');
    await q.store.settle(q.pool, [failure(job)]);
    const second = await lose(async () => {
      await q.makeDue();
      return claim('a');
    });
    expect(await q.state(job.ulid)).toBe('scheduled');

    expect(await hello('a', [second])).toMatchObject({ verdicts: ['held'], adopted: 1 });

    expect(await q.record(job.ulid)).toMatchObject({ state: 'running', starts: '2', failures: '1' });
    expect(await q.redis.exists(`${q.base}scheduled`)).toBe(0);
  });

  it('adopts under the number of the start that its worker was told', async () => {
    const job = await q.run(aJob(), 'a');
    await q.store.giveBack(q.pool, [returned(job)]);
    const third = await lose(async () => {
      await q.store.giveBack(q.pool, [returned(await claim('a'), { started: true })]);
      return claim('a');
    });
    expect(third.number).toBe(2);

    await hello('a', [third]);

    expect((await q.record(job.ulid))['starts']).toBe('2');
  });

  it('counts a start whose number is not known', async () => {
    const job = await runAndLose();

    await hello('a', [{ ...job, number: 0 }]);

    expect((await q.record(job.ulid))['starts']).toBe('1');
  });

  it('puts it back to its old place when its worker is lost later on', async () => {
    const job = await runAndLose();
    const place = (await q.record(job.ulid))['place'];
    await hello('a', [job]);

    await q.store.reclaim(q.pool, { session: 'a', losses: 1, reason: 'silence' });

    expect(await q.record(job.ulid)).toMatchObject({ state: 'queued', place, losses: '1' });
  });

  it("adopts what Redis believes at its holder's under an earlier attempt", async () => {
    const first = await q.run(aJob({ attempts: 3 }), 'a');
    const second = await lose(async () => {
      await q.store.giveBack(q.pool, [returned(first)]);
      return claim('a');
    });

    expect(await hello('a', [second])).toMatchObject({ verdicts: ['held'], adopted: 1, requeued: 0 });
    expect((await q.record(first.ulid))['attempt']).toBe(second.attemptId);
  });

  it('adopts what Redis believes at a session that has not confirmed it since, with an order that it has', async () => {
    const first = await q.run(aJob(), 'b');
    await q.openGate('a');
    await q.store.cancel(q.pool, [first.ulid]);
    const second: ClaimedJob = { ...first, attemptId: 'lost.0', fence: first.fence + 1, number: 2 };
    await q.moveServer();
    await q.store.beginRecovery(q.pool, []);

    const reply = await hello('a', [second]);

    expect(reply).toMatchObject({ verdicts: ['held'], adopted: 1, orders: [{ attemptId: 'lost.0', order: 'cancel' }] });
    expect(await hello('b', [first])).toMatchObject({ verdicts: ['gone'], requeued: 0 });
    expect(await q.record(first.ulid)).toMatchObject({ state: 'running', session: 'a', starts: '2' });
  });

  it('answers gone for what a session has confirmed, whatever the fence', async () => {
    const job = await q.run(aJob(), 'b');
    await q.openGate('a');
    await q.moveServer();
    await q.store.beginRecovery(q.pool, []);
    await hello('b', [job]);

    const reply = await hello('a', [{ ...job, attemptId: 'lost.0', fence: job.fence + 1 }]);

    expect(reply).toMatchObject({ verdicts: ['gone'], adopted: 0 });
    expect(await q.record(job.ulid)).toMatchObject({ session: 'b', attempt: job.attemptId });
  });

  it('leaves what is frozen frozen until the recovery is over: who was given it since has the right to it', async () => {
    const first = await q.run(aJob(), 'dead');
    const second = await lose(async () => {
      await q.store.reclaim(q.pool, { session: 'dead', losses: 1, reason: 'silence' });
      await q.openGate('b');
      return claim('b');
    });
    expect(await q.record(first.ulid)).toMatchObject({ state: 'running', session: 'dead' });
    await q.store.beginRecovery(q.pool, ['b']);

    expect(await hello('dead', [first], 'frozen')).toMatchObject({ verdicts: ['unknown'], requeued: 0 });
    expect((await q.store.recovery(q.pool))?.awaited).toEqual(['b']);
    expect(await hello('b', [second])).toMatchObject({ verdicts: ['held'], adopted: 1 });

    expect(await hello('dead', [first], 'frozen')).toMatchObject({ verdicts: ['gone'], requeued: 0 });
    expect(await q.record(first.ulid)).toMatchObject({ session: 'b', attempt: second.attemptId });
  });

  it('lets what is frozen go on when the recovery is over and nobody else had it', async () => {
    const job = await q.run(aJob(), 'a');
    await q.moveServer();
    expect(await hello('a', [job], 'frozen')).toMatchObject({ verdicts: ['unknown'] });
    await q.store.beginRecovery(q.pool, ['b']);
    expect(await hello('a', [job], 'frozen')).toMatchObject({ verdicts: ['unknown'], requeued: 0 });
    await q.letRecoveryAge();
    expect(await hello('a', [job], 'frozen')).toMatchObject({ verdicts: ['unknown'] });
    await hello('b', []);

    expect(await hello('a', [job], 'frozen')).toMatchObject({ verdicts: ['held'], requeued: 0 });
    await claim('b');
    expect(await q.redis.exists(`${q.base}unsure`)).toBe(0);
    expect(await q.store.settle(q.pool, [success(job)])).toEqual(['accepted']);
  });

  it('takes back nothing under a fence that no clock can have given', async () => {
    await q.openGate('a');
    const [ulid = ''] = await q.add(aJob());
    const invented = { ulid, attemptId: 'f.0', fence: Number.MAX_SAFE_INTEGER, number: 1 } as ClaimedJob;
    await q.moveServer();

    expect(await hello('a', [invented])).toMatchObject({ verdicts: ['gone'], adopted: 0 });
    expect(await q.store.settle(q.pool, [{ ...success(invented), ...holder(invented) }])).toEqual(['stale']);

    expect(await q.record(ulid)).toMatchObject({ state: 'queued' });
  });

  it('answers gone for an equal fence: that very attempt was closed', async () => {
    const job = await q.run(aJob(), 'a');
    await q.store.giveBack(q.pool, [returned(job)]);

    expect(await hello('a', [job])).toMatchObject({ verdicts: ['gone'], adopted: 0 });
    expect(await q.state(job.ulid)).toBe('queued');
  });

  it('answers gone for what is final, was removed, or was given back by the worker itself', async () => {
    const final = await q.run(aJob(), 'a');
    await q.store.settle(q.pool, [success(final)]);
    const returnedOne = await runAndLose();
    const later = { ...final, fence: final.fence + 1 };

    expect((await hello('a', [later, { ...later, ulid: newer(final) }])).verdicts).toEqual(['gone', 'gone']);
    expect((await hello('a', [returnedOne], 'returned')).verdicts).toEqual(['gone']);
    expect(await q.state(returnedOne.ulid)).toBe('queued');
  });

  it('adopts and settles in one step a result from a lost tail', async () => {
    const job = await runAndLose(aJob({ batchId: 'b' }));
    const output = [aChunk(job, 'hello')];

    const verdicts = await q.store.settle(q.pool, [success(job, { ...holder(job), output })]);

    expect(verdicts).toEqual(['accepted']);
    expect(await q.record(job.ulid)).toMatchObject({ state: 'succeeded', starts: '1', attempt: job.attemptId });
    expect((await q.events()).slice(-2)).toEqual([
      `adopted ${job.ulid} 1 worker-of-a a`,
      `succeeded ${job.ulid} 1 worker-of-a`,
    ]);
    expect((await q.store.readOutput(q.pool, job.ulid, 1))?.chunks).toHaveLength(1);
    expect(await q.store.settle(q.pool, [success(job, holder(job))])).toEqual(['repeated']);
  });

  it('moves all that one call accepts, before, by and after an adoption', async () => {
    await q.openGate('a');
    await q.add(...someJobs(3, { batchId: 'b' }));
    const [first, last] = [await claim('a'), await claim('a')];
    const lost = await lose(() => claim('a'));

    const ends = [first, lost, last, first].map((job) => success(job, holder(job)));

    expect(await q.store.settle(q.pool, ends)).toEqual(['accepted', 'accepted', 'accepted', 'repeated']);
    expect(await q.store.counts(q.pool)).toMatchObject({ queued: 0, running: 0, succeeded: 3 });
  });

  it('refuses for now output of an attempt that may be taken back, and for good what may not', async () => {
    const job = await runAndLose();
    const append = (one: ClaimedJob) => q.store.appendOutput(q.pool, [aChunk(one, 'hello')]);

    expect(await append(job)).toEqual([{ verdict: 'lost', endOffset: 0 }]);
    expect(await append({ ...job, ulid: newer(job) })).toEqual([{ verdict: 'stale', endOffset: 0 }]);
    await q.store.beginRecovery(q.pool, ['a']);
    expect(await append(job)).toEqual([{ verdict: 'lost', endOffset: 0 }]);
    await hello('a', [job]);
    expect(await append(job)).toEqual([{ verdict: 'stored', endOffset: 5 }]);
    expect(await append({ ...job, attemptId: 'before.0', fence: job.fence - 1 })).toMatchObject([{ verdict: 'stale' }]);

    await q.store.settle(q.pool, [success(job)]);
    expect(await append({ ...job, attemptId: 'later.0', fence: job.fence + 1 })).toMatchObject([{ verdict: 'stale' }]);
  });

  it('asks once a call which server it is on, and not for results of who holds the job', async () => {
    const asked = async (): Promise<number> =>
      Number(/^cmdstat_info:calls=(\d+)/m.exec(await q.redis.info('commandstats'))?.[1] ?? 0);
    await q.openGate('a');
    await q.add(...someJobs(4));
    const held = (await q.store.claim(q.pool, [aWant('a', { max: 4 })])).jobs;
    const before = await asked();
    await q.store.settle(
      q.pool,
      held.slice(0, 2).map((job) => success(job, holder(job))),
    );
    expect((await asked()) - before).toBe(1); // by this test

    await q.moveServer();
    const later = held.slice(2).map((job) => ({ ...job, attemptId: 'lost.0', fence: job.fence + 1 }));
    await q.store.settle(
      q.pool,
      later.map((job) => success(job, holder(job))),
    );
    expect((await asked()) - before).toBe(3);
  });

  it('retries what failed in a lost tail', async () => {
    const job = await runAndLose(aJob({ attempts: 2 }));

    expect(await q.store.settle(q.pool, [failure(job, holder(job))])).toEqual(['accepted']);

    expect(await q.record(job.ulid)).toMatchObject({ state: 'scheduled', failures: '1', starts: '1' });
  });

  it('does not settle what nobody says who ran it, nor what has been claimed anew', async () => {
    const job = await runAndLose();
    expect(await q.store.settle(q.pool, [success(job)])).toEqual(['stale']);
    await q.redis.hset(`${q.base}calls`, 'server', /run_id:(\w+)/.exec(await q.redis.info('server'))?.[1] ?? '');
    // Of the record, its fence is gone with the claim; a recovery takes seconds, and Redis' time has gone on.
    while ((await q.now()) <= job.fence) {
      // asks again
    }
    const anew = await claim('a');

    expect(await q.store.settle(q.pool, [success(job, holder(job))])).toEqual(['stale']);
    expect(anew.fence).toBeGreaterThan(job.fence);
    expect((await q.record(job.ulid))['attempt']).toBe(anew.attemptId);
  });

  it('has nothing to give back of what Redis believes queued', async () => {
    const job = await runAndLose();

    expect(await q.store.giveBack(q.pool, [returned(job, { reason: 'lease_lost', started: true })])).toEqual(['stale']);
    expect(await q.record(job.ulid)).toMatchObject({ state: 'queued' });
  });
});

/** An id that no job has. */
function newer(job: ClaimedJob): ClaimedJob['ulid'] {
  return `${job.ulid.slice(0, -1)}${job.ulid.endsWith('0') ? '1' : '0'}` as ClaimedJob['ulid'];
}
