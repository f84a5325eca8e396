import { StoreFullError } from '../errors.js';
import type { ClaimedJob } from '../store.js';
import { aJob, someJobs } from '../testing/a-job.js';
import { failure, returned, success } from '../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';

describe('a full Redis', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(async () => {
    q = bench.setup();
    await q.openGate('a');
    await q.add(...someJobs(8, { attempts: 2 }));
  });
  afterEach(async () => {
    await q.redis.config('SET', 'maxmemory', '0');
    await q.assertInvariants();
  });
  afterAll(() => bench.stop());

  const fill = (): Promise<unknown> => q.redis.config('SET', 'maxmemory', '1000000');
  const claim = async (max: number): Promise<ClaimedJob[]> => (await q.store.claim(q.pool, [aWant('a', { max })])).jobs;

  it('refuses new jobs by name and writes nothing of them', async () => {
    const jobs = someJobs(3, { batchId: 'late' });
    await fill();

    await expect(q.store.enqueue(q.pool, jobs)).rejects.toThrow(StoreFullError);

    expect(await q.redis.hmget(`${q.base}jobs`, ...jobs.map(({ ulid }) => ulid))).toEqual(jobs.map(() => null));
    expect(await q.redis.exists(`${q.base}b:late`)).toBe(0);
    expect(await q.redis.zcard(`${q.base}queued`)).toBe(8);
  });

  it('still says how many jobs are in which state', async () => {
    await fill();

    expect(await q.store.counts(q.pool)).toMatchObject({ queued: 8, running: 0, succeeded: 0 });
    expect(await q.store.glance(q.pool)).toEqual({ queued: 8, nextDueInMs: undefined });
  });

  it('still gives, settles, takes back and promotes what it has', async () => {
    await fill();

    const [done, failed, back, lost, cancelled] = (await claim(5)) as [
      ClaimedJob,
      ClaimedJob,
      ClaimedJob,
      ClaimedJob,
      ClaimedJob,
    ];
    const settled = await q.store.settle(q.pool, [success(done), failure(failed)]);
    const taken = await q.store.giveBack(q.pool, [
      returned(back),
      returned(lost, { reason: 'lease_lost', started: true }),
    ]);
    const cancel = await q.store.cancel(q.pool, [cancelled.ulid]);
    await q.redis.config('SET', 'maxmemory', '0');
    await q.makeDue();
    await fill();
    const promoted = await q.store.promote(q.pool);

    expect([settled, taken, cancel]).toEqual([['accepted', 'accepted'], ['accepted', 'accepted'], ['requested']]);
    expect(promoted).toMatchObject({ moved: 1, queued: 6 });
  });

  it('lets a worker say Hello to a scheduler that has just started', async () => {
    const [job] = (await claim(1)) as [ClaimedJob];
    await fill();

    const held = [{ ...job, state: 'running' as const }];
    const reply = await q.another().reconcile(q.pool, { session: 'a', worker: 'w', epoch: 2, held, last: true });

    expect(reply.verdicts).toEqual(['held']);
  });

  it('takes jobs again when there is room', async () => {
    await fill();
    const job = aJob();
    await expect(q.store.enqueue(q.pool, [job])).rejects.toThrow(StoreFullError);
    await q.redis.config('SET', 'maxmemory', '0');

    expect(await q.store.enqueue(q.pool, [job])).toMatchObject([{ state: 'queued', repeated: false }]);
  });
});
