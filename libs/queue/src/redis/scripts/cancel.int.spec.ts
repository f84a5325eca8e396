import { aJob } from '../../testing/a-job.js';
import { cancellation, failure, success } from '../../testing/an-end.js';
import { type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { cancel } from './cancel.js';

describe('cancel', () => {
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

  it('cancels a queued and a scheduled job at once', async () => {
    const ulids = await q.add(aJob(), aJob({ delayMs: 60_000 }));

    expect(await q.store.cancel(q.pool, ulids)).toEqual(['cancelled', 'cancelled']);

    for (const job of await q.store.getJobs(q.pool, ulids)) {
      expect(job).toMatchObject({ state: 'cancelled', starts: 0, end: null, history: [] });
      expect(job?.finishedAt).toBeGreaterThan(0);
      expect(job?.cancelRequestedAt).toBe(job?.finishedAt);
    }
    expect((await q.events()).slice(-2)).toEqual(ulids.map((ulid) => `cancelled ${ulid} 0 -`));
  });

  it('asks for the end of a running job: time, order to its worker, news', async () => {
    const { ulid, attemptId, fence, session } = await q.run();

    expect(await q.store.cancel(q.pool, [ulid])).toEqual(['requested']);

    const [job] = await q.store.getJobs(q.pool, [ulid]);
    expect(job).toMatchObject({ state: 'running' });
    expect(job?.cancelRequestedAt).toBeGreaterThan(0);
    expect((await q.events()).at(-1)).toBe(`cancel ${ulid} 1 worker-of-${session} ${session}`);
    const order = { ulid, session, attemptId, fence, order: 'cancel' };
    expect(await q.store.pendingOrders(q.pool, [session, 'other'])).toEqual([order]);
    expect(await q.store.pendingOrders(q.pool, ['other'])).toEqual([]);
    expect(await q.store.pendingOrders(q.pool, [])).toEqual([]);
  });

  it('keeps the order until the job has ended, and the time of the first request', async () => {
    const job = await q.run();
    await q.store.cancel(q.pool, [job.ulid]);
    const first = (await q.record(job.ulid))['cancel'];
    expect(await q.store.cancel(q.pool, [job.ulid])).toEqual(['requested']);
    expect((await q.record(job.ulid))['cancel']).toBe(first);
    expect((await q.events()).filter((line) => line.startsWith('cancel '))).toHaveLength(1);

    expect(await q.store.settle(q.pool, [cancellation(job)])).toEqual(['accepted']);

    expect(await q.store.pendingOrders(q.pool, [job.session])).toEqual([]);
    expect(await q.store.cancel(q.pool, [job.ulid])).toEqual(['cancelled']);
    const [ended] = await q.store.getJobs(q.pool, [job.ulid]);
    expect(ended?.history).toMatchObject([{ number: 1, outcome: 'cancelled', signal: 'SIGTERM', reason: 'cancelled' }]);
  });

  it("lets the command's own end count when it came first", async () => {
    const job = await q.run();
    await q.store.cancel(q.pool, [job.ulid]);

    await q.store.settle(q.pool, [success(job)]);

    expect(await q.state(job.ulid)).toBe('succeeded');
    expect(await q.store.cancel(q.pool, [job.ulid])).toEqual(['final']);
  });

  it('cancels what waits for another attempt, and keeps the history of those before', async () => {
    const job = await q.run(aJob({ attempts: 3 }));
    await q.store.settle(q.pool, [failure(job)]);
    expect(await q.state(job.ulid)).toBe('scheduled');

    expect(await q.store.cancel(q.pool, [job.ulid])).toEqual(['cancelled']);

    const [ended] = await q.store.getJobs(q.pool, [job.ulid]);
    expect(ended?.history.map(({ number, outcome }) => [number, outcome])).toEqual([[1, 'failed']]);
  });

  it('says what it does not know, and names each job in the order asked', async () => {
    const [queued = ''] = await q.add(aJob());

    expect(await q.store.cancel(q.pool, ['unknown', queued, queued])).toEqual(['not_found', 'cancelled', 'cancelled']);
  });

  it('counts it in its batch', async () => {
    const [ulid = ''] = await q.add(aJob({ batchId: 'b' }), aJob({ batchId: 'b' }));
    await q.store.cancel(q.pool, [ulid]);

    expect(await q.redis.hgetall(`${q.base}b:b`)).toMatchObject({ queued: '1', cancelled: '1', kept: '2' });
  });

  it('answers the same when it is sent twice, with the same number or a new one', async () => {
    const { ulid } = await q.run();
    const [queued = ''] = await q.add(aJob());
    const call = { base: q.base, clientId: 'twice', number: 1 };
    const params = { ulids: [ulid, queued] };

    for (const number of [1, 1, 2]) {
      expect(await cancel.send(q.redis, { ...call, number }, params)).toEqual(['requested', 'cancelled']);
    }
    await expect(cancel.send(q.redis, call, params)).rejects.toThrow(/^STALE_OP/);
  });
});
