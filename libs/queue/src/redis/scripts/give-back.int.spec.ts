import { FREE_RETURN_REASONS, RETURN_REASONS } from '@orchestrator/core';

import type { ClaimedJob } from '../../store.js';
import { aJob } from '../../testing/a-job.js';
import { returned } from '../../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { giveBack } from './give-back.js';

describe('give back', () => {
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

  const losing = RETURN_REASONS.filter((reason) => !FREE_RETURN_REASONS.includes(reason));
  const history = (ulid: string): Promise<string[]> => q.redis.lrange(`${q.base}h:${ulid}`, '0', '-1');

  it('puts a job that never started back at its old place, as if it had never been given', async () => {
    const job = await q.run();
    await q.add(aJob());
    const { place } = await q.record(job.ulid);

    const verdicts = await q.store.giveBack(q.pool, [returned(job)]);

    expect(verdicts).toEqual(['accepted']);
    expect(await q.record(job.ulid)).toMatchObject({ state: 'queued', place, starts: '0' });
    expect(await q.redis.zrange(`${q.base}queued`, '0', '0')).toEqual([job.ulid]);
    expect(await history(job.ulid)).toEqual([]);
    expect((await q.events()).at(-1)).toBe(`returned ${job.ulid} 0 worker-of-session-a`);
  });

  it('takes nothing back that another session says, though it knows the attempt', async () => {
    const job = await q.run();

    const verdicts = await q.store.giveBack(q.pool, [{ ...returned(job), by: 'session-b' }]);

    expect(verdicts).toEqual(['stale']);
    expect((await q.record(job.ulid))['state']).toBe('running');
    expect(await q.store.giveBack(q.pool, [{ ...returned(job), by: job.session }])).toEqual(['accepted']);
  });

  it.each(FREE_RETURN_REASONS)('takes back what had started for free when the reason is %s', async (reason) => {
    const job = await q.run();

    await q.store.giveBack(q.pool, [returned(job, { reason, started: true })]);

    const record = await q.record(job.ulid);
    expect(record).toMatchObject({ state: 'queued', starts: '1' });
    expect(record['losses']).toBeUndefined();
    const [entry] = await history(job.ulid);
    expect(entry?.split('\t').slice(5)).toEqual(['returned', JSON.stringify({ reason })]);
  });

  it.each(losing)('counts a loss when the reason is %s, and leaves the job its place', async (reason) => {
    const job = await q.run();
    const { place } = await q.record(job.ulid);

    await q.store.giveBack(q.pool, [returned(job, { reason, started: true })]);

    const record = await q.record(job.ulid);
    expect(record).toMatchObject({ state: 'queued', losses: '1', place });
    expect(record['failures']).toBeUndefined();
    const [entry] = await history(job.ulid);
    expect(entry?.split('\t').slice(5)).toEqual(['lost', JSON.stringify({ reason })]);
    expect((await q.events()).at(-1)).toBe(`reassigned ${job.ulid} 1 worker-of-session-a`);
  });

  it('lets a job that was lost again wait a random time that doubles, up to 30 seconds, and keeps its place', async () => {
    const first = await q.run(aJob({ maxWorkerLosses: 100 }));
    const { place } = await q.record(first.ulid);
    const waits = [];
    let job = first;
    for (let number = 1; number <= 9; number++) {
      await q.send(giveBack, number, [{ ...returned(job, { reason: 'lease_lost', started: true }), random: 0.5 }]);
      const record = await q.record(first.ulid);
      const ended = Number((await history(first.ulid)).at(-1)?.split('\t')[4]);
      waits.push(record['state'] === 'scheduled' ? Number(record['due']) - ended : undefined);
      await q.makeDue();
      job = (await q.store.claim(q.pool, [aWant('session-a')])).jobs[0] as ClaimedJob;
      expect((await q.record(first.ulid))['place']).toBe(place);
    }

    expect(waits).toEqual([undefined, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  });

  it('fails a job that was lost as often as it may be', async () => {
    const first = await q.run(aJob({ maxWorkerLosses: 2 }));
    await q.store.giveBack(q.pool, [returned(first, { reason: 'executor_lost', started: true })]);
    const { jobs } = await q.store.claim(q.pool, [aWant('session-a')]);

    await q.store.giveBack(q.pool, [returned(jobs[0] as ClaimedJob, { reason: 'executor_lost', started: true })]);

    const record = await q.record(first.ulid);
    expect(record).toMatchObject({ state: 'failed', losses: '2' });
    expect(JSON.parse(record['end'] ?? '')).toMatchObject({ exitCode: null, failure: { reason: 'worker_lost' } });
  });

  it.each(['drained', 'lease_lost'] as const)(
    'cancels what was to be cancelled when the reason is %s',
    async (reason) => {
      const job = await q.run();
      await q.patch(job.ulid, { cancel: 1 });
      await q.redis.hset(`${q.base}orders`, job.ulid, 'cancel');

      await q.store.giveBack(q.pool, [returned(job, { reason, started: true })]);

      expect(await q.state(job.ulid)).toBe('cancelled');
      expect(await q.redis.hlen(`${q.base}orders`)).toBe(0);
    },
  );

  it('does no more when it is sent twice, with the same number or a new one', async () => {
    const job = await q.run(aJob({ batchId: 'b' }));
    const returns = [{ ...returned(job, { reason: 'lease_lost', started: true }), random: 0 }];
    const first = await q.send(giveBack, 3, returns);
    const before = await q.record(job.ulid);

    const again = [await q.send(giveBack, 3, returns), await q.send(giveBack, 4, returns)];

    expect([first, ...again]).toEqual([['accepted'], ['repeated'], ['repeated']]);
    expect(await q.record(job.ulid)).toEqual(before);
    await expect(q.send(giveBack, 2, returns)).rejects.toThrow('STALE_OP');
  });

  it('refuses an attempt or a fence that does not hold', async () => {
    const job = await q.run();

    const verdicts = await q.store.giveBack(q.pool, [
      returned({ ...job, attemptId: 'other.0' }),
      returned({ ...job, fence: job.fence - 1 }),
    ]);

    expect(verdicts).toEqual(['stale', 'stale']);
    expect(await q.state(job.ulid)).toBe('running');
  });
});
