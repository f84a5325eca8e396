import { HISTORY_LIMIT } from '../../keys.js';
import { aJob } from '../../testing/a-job.js';
import { failure, success } from '../../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { retry } from './retry.js';

describe('retry', () => {
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

  const fail = async (exitCode = 1): Promise<string> => {
    const job = await q.run();
    await q.store.settle(q.pool, [failure(job, { exitCode })]);
    return job.ulid;
  };

  it('queues a failed job again with a fresh allowance, and keeps the final attempt as history', async () => {
    const ulid = await fail(7);
    const [before] = await q.store.getJobs(q.pool, [ulid]);

    expect(await q.store.retry(q.pool, [ulid])).toEqual(['queued']);

    const [job] = await q.store.getJobs(q.pool, [ulid]);
    expect(job).toMatchObject({
      state: 'queued',
      failures: 0,
      workerLosses: 0,
      starts: 1,
      end: null,
      finishedAt: null,
    });
    expect(job?.history).toEqual(before?.history);
    expect(job?.history).toMatchObject([{ number: 1, outcome: 'failed', exitCode: 7, reason: 'exit_code' }]);
    expect((await q.events()).at(-1)).toBe(`queued ${ulid} 1 -`);
  });

  it('gives it a new place, behind what waits', async () => {
    const ulid = await fail();
    const [waiting = ''] = await q.add(aJob());

    await q.store.retry(q.pool, [ulid]);

    expect(await q.store.position(q.pool, waiting)).toBe(0);
    expect(await q.store.position(q.pool, ulid)).toBe(1);
  });

  it('lets starts, fences and history go on', async () => {
    const ulid = await fail();
    const [first] = await q.store.getJobs(q.pool, [ulid]);
    await q.store.retry(q.pool, [ulid]);
    const [again] = (await q.store.claim(q.pool, [aWant('session-a')])).jobs;

    expect(again).toMatchObject({ ulid, number: 2 });
    expect(again?.fence).toBeGreaterThan(first?.fence ?? Infinity);
    await q.store.settle(q.pool, again ? [success(again)] : []);

    const [job] = await q.store.getJobs(q.pool, [ulid]);
    expect(job?.history.map(({ number, outcome }) => [number, outcome])).toEqual([
      [1, 'failed'],
      [2, 'succeeded'],
    ]);
    expect(job?.history).toHaveLength(2);
  });

  it('queues a cancelled job again and forgets the request', async () => {
    const [ulid = ''] = await q.add(aJob());
    await q.store.cancel(q.pool, [ulid]);

    expect(await q.store.retry(q.pool, [ulid])).toEqual(['queued']);

    expect((await q.store.getJobs(q.pool, [ulid]))[0]).toMatchObject({ cancelRequestedAt: null, history: [] });
  });

  it('queues a lost job again without a second entry for its last start', async () => {
    const { ulid, session } = await q.run(aJob({ maxWorkerLosses: 1 }));
    await q.store.reclaim(q.pool, { session, losses: 1, reason: 'killed' });
    expect(await q.state(ulid)).toBe('failed');

    await q.store.retry(q.pool, [ulid]);

    const [job] = await q.store.getJobs(q.pool, [ulid]);
    expect(job?.history.map(({ number, outcome }) => [number, outcome])).toEqual([[1, 'lost']]);
  });

  it('refuses what waits, runs or succeeded, and what it does not know', async () => {
    const [queued = '', scheduled = ''] = await q.add(aJob(), aJob({ delayMs: 60_000 }));
    const done = await q.run(aJob({ priority: 9 }));
    await q.store.settle(q.pool, [success(done)]);
    const running = await q.run(aJob({ priority: 9 }));

    expect(await q.store.retry(q.pool, [queued, scheduled, done.ulid, running.ulid, 'unknown'])).toEqual([
      ...Array<string>(4).fill('not_retryable'),
      'not_found',
    ]);
  });

  it('keeps no more than the last attempts', async () => {
    const ulid = await fail();
    for (let i = 0; i < HISTORY_LIMIT + 2; i += 1) {
      await q.store.retry(q.pool, [ulid]);
      const [job] = (await q.store.claim(q.pool, [aWant('session-a')])).jobs;
      await q.store.settle(q.pool, job ? [failure(job)] : []);
    }

    const [job] = await q.store.getJobs(q.pool, [ulid]);
    expect(job?.history).toHaveLength(HISTORY_LIMIT);
    expect(job?.history.at(-1)?.number).toBe(HISTORY_LIMIT + 3);
  });

  it('recognises its own repetition, and takes a new number for a new request', async () => {
    const ulid = await fail();
    const call = { base: q.base, clientId: 'twice', number: 1 };
    expect(await retry.send(q.redis, call, { ulids: [ulid] })).toEqual(['queued']);
    const [job] = (await q.store.claim(q.pool, [aWant('session-a')])).jobs;
    await q.store.settle(q.pool, job ? [failure(job)] : []);

    expect(await retry.send(q.redis, call, { ulids: [ulid] })).toEqual(['queued']);
    expect(await q.state(ulid)).toBe('failed');

    expect(await retry.send(q.redis, { ...call, number: 2 }, { ulids: [ulid] })).toEqual(['queued']);
    expect(await q.state(ulid)).toBe('queued');
    await expect(retry.send(q.redis, call, { ulids: [ulid] })).rejects.toThrow(/^STALE_OP/);
  });
});
