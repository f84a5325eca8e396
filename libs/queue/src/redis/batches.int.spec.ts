import { aJob, someJobs } from '../testing/a-job.js';
import { type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';

describe('batches', () => {
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

  const batch = { batchId: 'b', name: 'nightly', total: 3, pools: ['default', 'other'] };

  it('sums what its pools count', async () => {
    await q.store.putBatch(batch);
    const [ulid = ''] = await q.add(...someJobs(2, { batchId: 'b' }));
    await q.store.enqueue('other', [aJob({ batchId: 'b', delayMs: 60_000 }), aJob()]);
    await q.store.cancel(q.pool, [ulid]);

    expect(await q.store.getBatch('b')).toMatchObject({
      ...batch,
      counts: { queued: 1, cancelled: 1, scheduled: 1, running: 0, succeeded: 0 },
      sealed: false,
      done: false,
    });
  });

  it('is done when all that were written are final, sealed or not', async () => {
    await q.store.putBatch(batch);
    expect(await q.store.getBatch('b')).toMatchObject({ sealed: false, done: false });
    const ulids = await q.add(...someJobs(2, { batchId: 'b' }));
    await q.store.cancel(q.pool, ulids);

    expect(await q.store.getBatch('b')).toMatchObject({ sealed: false, done: true });
  });

  it('is sealed by a word of its own, which may come twice', async () => {
    await q.store.putBatch(batch);
    await q.store.sealBatch('b');
    await q.store.sealBatch('b');

    expect(await q.store.getBatch('b')).toMatchObject({ sealed: true });
    await q.store.putBatch(batch);
    expect(await q.store.getBatch('b')).toMatchObject({ sealed: true });
  });

  it('does not make a record by sealing', async () => {
    await q.store.sealBatch('unknown');

    expect(await q.store.getBatch('unknown')).toBeUndefined();
  });

  it('has no name where none was given', async () => {
    await q.store.putBatch({ ...batch, name: undefined });

    expect((await q.store.getBatch('b'))?.name).toBeUndefined();
  });

  it('goes when the last of many pools has lost its jobs, each of which asks few of the others', async () => {
    const pools = Array.from({ length: 60 }, (_, index) => `many-${index}`);
    await q.store.putBatch({ ...batch, total: pools.length, pools });
    for (const pool of pools) {
      const job = aJob({ batchId: 'b' });
      await q.store.enqueue(pool, [job]);
      await q.store.cancel(pool, [job.ulid]);
    }
    await q.store.sealBatch('b');
    const asked = async (): Promise<number> =>
      Number(/cmdstat_hgetall:calls=(\d+)/.exec(await q.redis.info('commandstats'))?.[1] ?? 0);
    const before = await asked();
    const none = { maxFinished: 0, maxOutputBytes: 0 };

    for (const pool of pools.slice(0, -1)) {
      await q.store.trim(pool, none);
    }
    // Of all pools by each it would be 3,540.
    expect((await asked()) - before).toBeLessThan(600);
    expect(await q.store.getBatch('b')).toMatchObject({ counts: { cancelled: 60 } });
    expect((await q.store.trim(pools.at(-1) ?? '', none)).emptiedBatches).toEqual(['b']);
    expect(await q.store.getBatch('b')).toBeUndefined();
  });
});
