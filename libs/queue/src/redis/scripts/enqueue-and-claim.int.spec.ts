import { aJob, someJobs } from '../../testing/a-job.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { enqueueAndClaim } from './enqueue-and-claim.js';

describe('enqueue-and-claim', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(async () => {
    q = bench.setup();
    await q.openGate('a');
  });
  afterEach(() => q.assertInvariants());
  afterAll(() => bench.stop());

  it('adds jobs and gives them away in one step', async () => {
    const jobs = someJobs(3, { batchId: 'b' });

    const { enqueued, claimed } = await q.store.enqueueAndClaim(q.pool, jobs, [aWant('a', { max: 2 })]);

    expect(enqueued).toMatchObject(jobs.map(({ ulid }) => ({ ulid, state: 'queued', repeated: false })));
    expect(claimed?.jobs).toMatchObject(jobs.slice(0, 2).map(({ ulid }) => ({ ulid, session: 'a', number: 1 })));
    expect(claimed).toMatchObject({ queued: 1, refused: [] });
    expect(await Promise.all(jobs.map(({ ulid }) => q.state(ulid)))).toEqual(['running', 'running', 'queued']);
    expect((await q.events()).map((line) => line.split(' ')[0])).toEqual([
      ...jobs.map(() => 'queued'),
      'started',
      'started',
    ]);
  });

  it('keeps the order: what waits already goes first, then what is more urgent', async () => {
    const [waiting] = await q.add(aJob());
    const [common, urgent, later] = [aJob(), aJob({ priority: 5 }), aJob({ delayMs: 60_000 })];

    const { enqueued, claimed } = await q.store.enqueueAndClaim(
      q.pool,
      [common, urgent, later],
      [aWant('a', { max: 2 })],
    );

    expect(claimed?.jobs.map(({ ulid }) => ulid)).toEqual([urgent.ulid, waiting]);
    expect(claimed?.nextDueInMs).toBeGreaterThan(59_000);
    expect(enqueued.map(({ state }) => state)).toEqual(['queued', 'queued', 'scheduled']);
    expect(await q.state(common.ulid)).toBe('queued');
  });

  it('adds jobs, and gives nothing away, through a gate that is not open', async () => {
    const job = aJob();

    const { claimed } = await q.store.enqueueAndClaim(q.pool, [job], [aWant('a', { epoch: 7 })]);

    expect(claimed).toMatchObject({ jobs: [], refused: ['a'], queued: 1 });
    expect(await q.state(job.ulid)).toBe('queued');
  });

  it('adds jobs, and gives nothing away, in a pool that has to be put into recovery', async () => {
    await q.run();
    await q.moveServer();
    const job = aJob();

    const { enqueued, claimed } = await q.store.enqueueAndClaim(q.pool, [job], [aWant('a')]);

    expect(enqueued).toMatchObject([{ ulid: job.ulid, state: 'queued' }]);
    expect(claimed?.jobs).toEqual([]);
    expect(claimed?.recovery).toMatchObject({ begun: false });
    expect(await q.state(job.ulid)).toBe('queued');
    expect(await q.events()).toContain(`queued ${job.ulid} 0 -`);
  });

  it('is the first call of a pool as well as any other', async () => {
    const job = aJob();

    const { claimed } = await q.store.enqueueAndClaim(q.pool, [job], [aWant('a')]);
    const { jobs } = await q.store.claim(q.pool, [aWant('a')]);

    expect(claimed?.jobs).toHaveLength(1);
    expect(jobs).toEqual([]);
  });

  it('claims nothing when it arrives a second time, since nobody knows what the first one brought', async () => {
    const jobs = someJobs(3);
    const params = { jobs, claimId: 'abcdef0123456789', wants: [aWant('a')] };
    const first = await q.send(enqueueAndClaim, 7, params);

    const second = await q.send(enqueueAndClaim, 7, params);

    expect(first.claimed?.jobs).toHaveLength(1);
    expect(second.claimed).toBeUndefined();
    expect(second.enqueued.map(({ repeated }) => repeated)).toEqual([true, true, true]);
    expect(await q.redis.zcard(`${q.base}queued`)).toBe(2);
    await expect(q.send(enqueueAndClaim, 6, params)).rejects.toThrow('STALE_OP');
  });
});
