import { aJob } from '../../testing/a-job.js';
import { failure, success } from '../../testing/an-end.js';
import { aChunk } from '../../testing/a-chunk.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { purge } from './purge.js';

describe('purge', () => {
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

  it('removes a final job with its history, its outputs and its place in every list', async () => {
    const job = await q.run(
      aJob({ attempts: 2, backoff: { type: 'fixed', delayMs: 0, factor: 1, maxDelayMs: 0, jitter: 'none' } }),
    );
    await q.store.settle(q.pool, [failure(job, { output: [aChunk(job, 'first')] })]);
    const [again] = (await q.store.claim(q.pool, [aWant('session-a')])).jobs;
    await q.store.settle(q.pool, again ? [success(again, { output: [aChunk(again, 'second')] })] : []);
    expect(await q.redis.keys(`${q.base}?:${job.ulid}*`)).toHaveLength(5);
    expect(await q.redis.hkeys(`${q.base}ends`)).toEqual([]); // a letter in the record says it

    expect(await q.store.purge(q.pool, [job.ulid])).toEqual(['purged']);

    expect(await q.redis.keys(`${q.base}?:${job.ulid}*`)).toEqual([]);
    expect(await q.redis.zcard(`${q.base}succeeded`)).toBe(0);
    expect(await q.redis.get(`${q.base}outputBytes`)).toBe('0');
    expect(await q.store.getJobs(q.pool, [job.ulid])).toEqual([undefined]);
  });

  it('refuses what is not final and what it does not know', async () => {
    const [queued = ''] = await q.add(aJob());
    const running = await q.run(aJob({ priority: 1 }));

    expect(await q.store.purge(q.pool, [queued, running.ulid, 'unknown'])).toEqual([
      'not_final',
      'not_final',
      'not_found',
    ]);
  });

  it('notes the batch as emptied with its last record, and keeps what it counted', async () => {
    const ulids = await q.add(aJob({ batchId: 'b' }), aJob({ batchId: 'b' }));
    await q.store.cancel(q.pool, ulids);

    await q.store.purge(q.pool, ulids.slice(0, 1));
    expect(await q.redis.smembers(`${q.base}emptied`)).toEqual([]);

    await q.store.purge(q.pool, ulids.slice(1));
    expect(await q.redis.smembers(`${q.base}emptied`)).toEqual(['b']);
    expect(await q.redis.hgetall(`${q.base}b:b`)).toMatchObject({ cancelled: '2', kept: '0' });
  });

  it('answers the same when it is sent twice, and not_found to a new call', async () => {
    const [ulid = ''] = await q.add(aJob());
    await q.store.cancel(q.pool, [ulid]);
    const call = { base: q.base, clientId: 'twice', number: 1 };
    const params = { ulids: [ulid] };

    expect(await purge.send(q.redis, call, params)).toEqual(['purged']);
    expect(await purge.send(q.redis, call, params)).toEqual(['purged']);
    expect(await purge.send(q.redis, { ...call, number: 2 }, params)).toEqual(['not_found']);
    await expect(purge.send(q.redis, call, params)).rejects.toThrow(/^STALE_OP/);
  });
});
