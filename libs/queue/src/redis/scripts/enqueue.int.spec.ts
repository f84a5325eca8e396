import { MAX_SPEC_BYTES, systemRandom } from '@orchestrator/core';
import { ManualClock } from '@orchestrator/testing';

import { MAX_BATCH, type NewJob } from '../../store.js';
import { aJob, someJobs } from '../../testing/a-job.js';
import { RedisQueueStore } from '../redis-queue-store.js';
import { type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';

describe('enqueue', () => {
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

  const order = (): Promise<string[]> => q.redis.zrange(`${q.base}queued`, '0', '-1');

  it('answers each job with its state and the time of its creation by the clock of Redis', async () => {
    const before = await q.now();
    const jobs = [aJob(), aJob({ delayMs: 60_000 })];

    const replies = await q.store.enqueue(q.pool, jobs);

    expect(replies).toEqual([
      { ulid: jobs[0]?.ulid, state: 'queued', createdAt: expect.any(Number) as number, repeated: false },
      { ulid: jobs[1]?.ulid, state: 'scheduled', createdAt: expect.any(Number) as number, repeated: false },
    ]);
    expect(replies[0]?.createdAt).toBeGreaterThanOrEqual(before);
    expect(replies[0]?.createdAt).toBeLessThanOrEqual(await q.now());
  });

  it('stores the spec as it came, whatever is in it', async () => {
    const data = { empty: [], none: {}, big: 12345678901234567890n.toString(), number: 1e16, text: '\u0000 ü "\t' };
    const job = aJob({ spec: { handler: 'h', data } });

    await q.add(job);

    expect(JSON.parse((await q.record(job.ulid))['spec'] ?? '')).toEqual(job.spec);
  });

  it('orders by priority, then by the order of enqueuing', async () => {
    const [low, first, second, high] = [-1000, 0, 0, 1000].map((priority) => aJob({ priority })) as [
      NewJob,
      NewJob,
      NewJob,
      NewJob,
    ];

    await q.add(low, first);
    await q.add(second, high);

    expect(await order()).toEqual([high.ulid, first.ulid, second.ulid, low.ulid]);
  });

  it('takes jobs with their own rules and options among others, in their order and with their sizes', async () => {
    const large = 'x'.repeat(5_000);
    const jobs = [
      aJob(),
      aJob({ attempts: 3, batchId: 'b' }),
      aJob({ attempts: 3, batchId: 'b', spec: { handler: 'h', data: large } }),
      aJob({ priority: 7, spec: { handler: 'h', data: large } }),
      aJob({ delayMs: 60_000, batchId: 'b' }),
      aJob({ delayMs: 60_000, batchId: 'b', spec: { handler: 'h', data: large } }),
      aJob({ attempts: 3, batchId: 'b' }),
      aJob(),
    ];

    const replies = await q.store.enqueue(q.pool, jobs);

    const ulids = jobs.map(({ ulid }) => ulid);
    expect(replies.map(({ ulid, state }) => [ulid, state])).toEqual(
      jobs.map(({ ulid, delayMs }) => [ulid, delayMs === undefined ? 'queued' : 'scheduled']),
    );
    expect(await order()).toEqual([3, 0, 1, 2, 6, 7].map((at) => ulids[at]));
    const stored = await q.store.getJobs(q.pool, ulids);
    expect(stored.map((job) => [job?.spec, job?.rule])).toEqual(jobs.map(({ spec, rule }) => [spec, rule]));
    expect(await q.redis.hgetall(`${q.base}b:b`)).toMatchObject({ queued: '3', scheduled: '2', kept: '5' });
    const sizes = await Promise.all(ulids.map(async (ulid) => (await q.record(ulid))['bytes']));
    const bytes = String(JSON.stringify(jobs[2]?.spec).length);
    expect(sizes.map((size) => size ?? '0')).toEqual(['0', '0', bytes, bytes, '0', bytes, '0', '0']);

    expect((await q.store.enqueue(q.pool, jobs)).every(({ repeated }) => repeated)).toBe(true);
    expect(await order()).toHaveLength(6);
  });

  it('takes a delay from the time at which Redis has the job, and an instant as it is', async () => {
    const before = await q.now();
    const delayed = aJob({ delayMs: 5_000 });
    const dated = aJob({ runAtMs: before + 90_000 });
    const past = aJob({ runAtMs: before - 1 });
    const undelayed = aJob({ delayMs: 0 });

    await q.add(delayed, dated, past, undelayed);

    const due = Number((await q.record(delayed.ulid))['due']);
    expect(due).toBeGreaterThanOrEqual(before + 5_000);
    expect(due).toBeLessThanOrEqual((await q.now()) + 5_000);
    expect(await q.record(dated.ulid)).toMatchObject({
      state: 'scheduled',
      due: String(before + 90_000),
      why: 'delay',
    });
    expect(await order()).toEqual([past.ulid, undelayed.ulid]);
  });

  it('leaves what is there as it is, also within one call, and says so', async () => {
    const job = aJob({ batchId: 'batch-1' });
    const [first] = await q.store.enqueue(q.pool, [job]);

    const again = await q.store.enqueue(q.pool, [{ ...job, priority: 9 }, aJob()]);
    const twin = aJob();
    const twins = await q.store.enqueue(q.pool, [twin, twin]);

    expect(again.map((reply) => reply.repeated)).toEqual([true, false]);
    expect(again[0]).toEqual({ ...first, repeated: true });
    expect(twins.map((reply) => reply.repeated)).toEqual([false, true]);
    expect(await q.record(job.ulid)).not.toHaveProperty('priority');
    expect(await q.redis.zcard(`${q.base}queued`)).toBe(3);
  });

  it('answers a repetition with the state that the job has by then', async () => {
    const running = await q.run();

    const [reply] = await q.store.enqueue(q.pool, [aJob({ ulid: running.ulid })]);

    expect(reply).toMatchObject({ state: 'running', repeated: true });
  });

  it('notes a batch of jobs in one entry of the order of creation', async () => {
    const jobs = someJobs(3);

    await q.add(...jobs);
    await q.add(...jobs);

    const entries = await q.redis.xrange(`${q.base}created`, '-', '+');
    expect(entries.map(([, fields]) => fields)).toEqual([['u', jobs.map((job) => job.ulid).join(' ')]]);
  });

  it('counts the jobs of a batch by state and in all', async () => {
    await q.add(...someJobs(2, { batchId: 'batch-2' }), aJob({ batchId: 'batch-2', delayMs: 1_000 }), aJob());

    expect(await q.redis.hgetall(`${q.base}b:batch-2`)).toEqual({ queued: '2', scheduled: '1', kept: '3' });
  });

  it('tells of each job in one entry of the events', async () => {
    const now = await q.now();
    const jobs = [aJob(), aJob({ runAtMs: now + 7_000 })] as const;

    await q.add(...jobs);

    expect(await q.redis.xlen(`${q.base}events`)).toBe(1);
    expect(await q.events()).toEqual([`queued ${jobs[0].ulid} 0 -`, `scheduled ${jobs[1].ulid} 0 - ${now + 7_000}`]);
  });

  it('enters the pool in the list of pools', async () => {
    await q.add(aJob());

    expect(await q.redis.smembers(q.keys.pools())).toEqual([q.pool]);
  });

  it('enters the pool again when the list was in a lost tail', async () => {
    const clock = new ManualClock();
    const store = new RedisQueueStore({ redis: q.redis, clock, random: systemRandom, prefix: q.prefix });
    await store.enqueue(q.pool, [aJob()]);
    await q.redis.del(q.keys.pools());
    clock.advance(10_000);

    await store.enqueue(q.pool, [aJob()]);
    await q.redis.ping(); // whatever was sent before is answered

    expect(await store.pools()).toEqual([q.pool]);
  });

  it.each([
    ['jobs[1].ulid', { ulid: 'x y' as never }],
    ['jobs[1].priority', { priority: 1_001 }],
    ['jobs[1].priority', { priority: 0.5 }],
    ['jobs[1].delayMs', { delayMs: Number.NaN }],
    ['jobs[1].runAtMs', { runAtMs: Infinity }],
    ['jobs[1].rule.attempts', { attempts: Infinity }],
    ['jobs[1].rule.noRetryExitCodes.0', { noRetryExitCodes: [Number.NaN] }],
    ['jobs[1].spec', { spec: { handler: 'f', data: 'x'.repeat(MAX_SPEC_BYTES) } }],
  ])(
    'refuses a whole call with a job that its scripts could not move, or no worker be sent: %s',
    async (path, broken) => {
      const call = q.store.enqueue(q.pool, [aJob(), aJob(broken)]);

      await expect(call).rejects.toMatchObject({ path });
      expect(await q.redis.exists(`${q.base}queued`)).toBe(0);
    },
  );

  it('takes the largest batch and refuses a larger one', async () => {
    await q.add(...someJobs(MAX_BATCH));

    await expect(q.store.enqueue(q.pool, someJobs(MAX_BATCH + 1))).rejects.toThrow('expected at most 250 a call');
    expect(await q.redis.zcard(`${q.base}queued`)).toBe(MAX_BATCH);
  });
});
