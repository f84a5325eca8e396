import { MAX_CLAIM_BYTES } from '../../store.js';
import { aJob, newUlid, someJobs } from '../../testing/a-job.js';
import { returned, success } from '../../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';

/** As a record says it after two starts. */
const LOST_TWICE = { losses: 2, fence: 1, starts: 2 };

describe('claim', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(async () => {
    q = bench.setup();
    await q.openGate('a');
    await q.openGate('b');
  });
  afterEach(() => q.assertInvariants());
  afterAll(() => bench.stop());

  it('gives the head of the queue with an attempt, a fence and the spec', async () => {
    const job = aJob({ spec: { argv: ['echo', 'ü'] } });
    await q.add(job, aJob());
    const before = await q.now();

    const reply = await q.store.claim(q.pool, [aWant('a', { epoch: 1 })]);

    expect(reply).toMatchObject({ queued: 1, nextDueInMs: undefined, refused: [] });
    const [claimed] = reply.jobs;
    expect(reply.jobs).toHaveLength(1);
    expect(claimed).toMatchObject({ ulid: job.ulid, session: 'a', number: 1 });
    expect(claimed?.attemptId).toMatch(/^[0-9a-f]{16}\.0$/);
    expect(claimed?.fence).toBeGreaterThanOrEqual(before);
    expect(JSON.parse(claimed?.specJson ?? '')).toEqual(job.spec);
    expect(await q.record(job.ulid)).toMatchObject({
      state: 'running',
      session: 'a',
      worker: 'worker-of-a',
      epoch: '1',
      attempt: claimed?.attemptId,
      fence: String(claimed?.fence),
      starts: '1',
    });
    expect(await q.events()).toContain(`started ${job.ulid} 1 worker-of-a a`);
  });

  it('gives each job its own spec, also where somebody else wrote one over several lines', async () => {
    const [odd, plain] = await q.add(aJob({ spec: { argv: ['a'] } }), aJob({ spec: { argv: ['b'] } }));
    await q.patch(odd as string, { spec: '{\n  "name": "odd",\n  "argv": ["a"]\n}' });

    const { jobs } = await q.store.claim(q.pool, [aWant('a', { max: 2 })]);

    expect(jobs.map(({ ulid, specJson }) => [ulid, (JSON.parse(specJson) as { argv: string[] }).argv])).toEqual([
      [odd, ['a']],
      [plain, ['b']],
    ]);
  });

  it('gives nothing when nothing waits', async () => {
    expect(await q.store.claim(q.pool, [aWant('a')])).toEqual({
      jobs: [],
      queued: 0,
      nextDueInMs: undefined,
      refused: [],
    });
  });

  it("a pool's gate: gives nothing through one that is closed or of another epoch, and names the session", async () => {
    await q.openGate('renewed', 7);
    await q.add(...someJobs(4));

    const reply = await q.store.claim(q.pool, [
      aWant('renewed', { epoch: 6 }),
      aWant('unknown'),
      aWant('a'),
      aWant('renewed', { epoch: 8 }),
    ]);

    expect(reply.refused).toEqual(['renewed', 'unknown', 'renewed']);
    expect(reply.jobs.map((job) => job.session)).toEqual(['a']);
  });

  it('gives jobs in turn, first to free slots, then to prefetch', async () => {
    await q.add(...someJobs(10));

    const { jobs } = await q.store.claim(q.pool, [aWant('a', { max: 5, free: 1 }), aWant('b', { max: 4, free: 3 })]);

    const sessions = jobs.map((job) => job.session);
    expect([...sessions.slice(0, 2)].sort()).toEqual(['a', 'b']);
    expect(sessions.slice(2, 4)).toEqual(['b', 'b']);
    expect(sessions.slice(4).sort()).toEqual(['a', 'a', 'a', 'a', 'b']);
  });

  it('begins its turns at random, so that a single job does not always go to the same worker', async () => {
    const first: (string | undefined)[] = [];
    for (let i = 0; i < 24; i++) {
      await q.add(aJob());
      const { jobs } = await q.store.claim(q.pool, [aWant('a'), aWant('b')]);
      first.push(jobs[0]?.session);
    }

    expect(new Set(first)).toEqual(new Set(['a', 'b']));
  });

  it('gives what was lost twice only to a free slot, and passes it over for the rest', async () => {
    const [suspect, ...others] = someJobs(4);
    await q.add(suspect as never, ...others);
    await q.patch(suspect?.ulid as string, LOST_TWICE);

    const prefetched = await q.store.claim(q.pool, [aWant('a', { max: 2, free: 0 })]);
    const free = await q.store.claim(q.pool, [aWant('a', { max: 1, free: 1 })]);

    expect(prefetched.jobs.map((job) => job.ulid)).toEqual(others.slice(0, 2).map((job) => job.ulid));
    expect(free.jobs.map((job) => job.ulid)).toEqual([suspect?.ulid]);
  });

  it('takes out of the order what it gave and nothing else, whatever it passed over', async () => {
    const jobs = await q.add(...someJobs(6));
    for (const ulid of [jobs[0], jobs[3]]) {
      await q.patch(ulid as string, LOST_TWICE);
    }

    const { jobs: given, queued } = await q.store.claim(q.pool, [aWant('a', { max: 3, free: 0 })]);

    expect(given.map((job) => job.ulid)).toEqual([jobs[1], jobs[2], jobs[4]]);
    expect(queued).toBe(3);
    expect(await q.redis.zrange(`${q.base}queued`, '0', '-1')).toEqual([jobs[0], jobs[3], jobs[5]]);
  });

  it('gives one session all that it wants in several places, in the order of the queue', async () => {
    const jobs = await q.add(...someJobs(4));

    const { jobs: given } = await q.store.claim(q.pool, [aWant('a', { max: 2 }), aWant('a', { max: 2 })]);

    expect(given.map((job) => job.ulid)).toEqual(jobs);
    expect(await q.redis.zrange(`${q.base}s:a`, '0', '-1')).toEqual(jobs);
  });

  it('looks behind no more than a bounded number of jobs that it may not prefetch', async () => {
    const jobs = await q.add(...someJobs(400));
    for (const ulid of jobs) {
      await q.patch(ulid, LOST_TWICE);
    }
    await q.add(aJob());

    const { jobs: given } = await q.store.claim(q.pool, [aWant('a', { max: 4, free: 0 })]);

    expect(given).toEqual([]);
  });

  it('moves what is due before it gives', async () => {
    const job = aJob({ delayMs: 60_000 });
    await q.add(job, aJob({ delayMs: 120_000 }));
    const early = await q.store.claim(q.pool, [aWant('a')]);
    await q.redis.zadd(`${q.base}scheduled`, 1, job.ulid);

    const reply = await q.store.claim(q.pool, [aWant('a')]);

    expect(early.jobs).toEqual([]);
    expect(early.nextDueInMs).toBeGreaterThan(50_000);
    expect(early.nextDueInMs).toBeLessThanOrEqual(60_000);
    expect(reply.jobs.map((one) => one.ulid)).toEqual([job.ulid]);
    expect(reply.nextDueInMs).toBeGreaterThan(60_000);
    expect((await q.events()).slice(-2)).toEqual([`queued ${job.ulid} 0 -`, `started ${job.ulid} 1 worker-of-a a`]);
  });

  it('stops at its limit of bytes, but gives one job however large', async () => {
    const large = (bytes: number) => aJob({ spec: { stdin: 'x'.repeat(bytes) } });
    const [first] = await q.add(aJob(), large(MAX_CLAIM_BYTES / 2), large(MAX_CLAIM_BYTES / 3), large(400_000));
    const beyond = { name: 'beyond', command: 'true', stdin: 'x'.repeat(MAX_CLAIM_BYTES) };
    await q.patch(first as string, { spec: JSON.stringify(beyond) }); // no job of today gets that large

    const sizes = [];
    for (let i = 0; i < 4; i++) {
      sizes.push((await q.store.claim(q.pool, [aWant('a', { max: 10 })])).jobs.length);
    }

    expect(sizes).toEqual([1, 2, 1, 0]);
  });

  it('gives no more than the largest batch', async () => {
    await q.add(...someJobs(300));

    const { jobs, queued } = await q.store.claim(q.pool, [aWant('a', { max: 300 }), aWant('b', { max: 300 })]);

    expect([jobs.length, queued]).toEqual([250, 50]);
  });

  it('drops from the order what has no record or is not queued', async () => {
    const running = await q.run(aJob(), 'a');
    const job = aJob();
    await q.redis.zadd(`${q.base}queued`, 1, newUlid(), 2, running.ulid);
    await q.add(job);

    const { jobs, queued } = await q.store.claim(q.pool, [aWant('b')]);

    expect(jobs.map((one) => one.ulid)).toEqual([job.ulid]);
    expect(queued).toBe(0);
  });

  it('refuses a claim that arrives twice, and one that arrives behind a later call', async () => {
    const { claim } = await import('./claim.js');
    await q.add(...someJobs(3));
    const first = await q.send(claim, 7, { claimId: 'c1', wants: [aWant('a')] });

    const twice = q.send(claim, 7, { claimId: 'c1', wants: [aWant('a')] });
    const late = q.send(claim, 6, { claimId: 'c0', wants: [aWant('a')] });

    await expect(twice).rejects.toThrow('STALE_OP claim 7 arrives a second time');
    await expect(late).rejects.toThrow('STALE_OP call 6 arrives after call 7');
    expect(first.jobs).toHaveLength(1);
    expect(await q.redis.zcard(`${q.base}queued`)).toBe(2);
  });

  it('growing numbers: mints a fence above the last one, also when the clock of Redis has gone back', async () => {
    const job = await q.run();
    const future = job.fence + 1_000_000;
    await q.store.giveBack(q.pool, [returned(job)]);
    await q.patch(job.ulid, { fence: future });

    const again = await q.run(aJob({ priority: -1 }));

    expect([again.ulid, again.fence]).toEqual([job.ulid, future + 1]);
  });

  it('hands each job to one of many clients, each exactly once', async () => {
    const total = 400;
    const ulids = await q.add(...someJobs(total, { batchId: 'race' }));
    const owners = new Map<string, string>();
    const claimAndSettle = async (session: string): Promise<void> => {
      await q.openGate(session);
      const store = q.another();
      await q.redis.ping();
      for (let size = 1, idle = 0; idle < 2; size = (size * 7 + 3) % 23) {
        const { jobs } = await store.claim(q.pool, [aWant(session, { max: size + 1 })]);
        idle = jobs.length === 0 ? idle + 1 : 0;
        for (const job of jobs) {
          expect(owners.get(job.ulid)).toBeUndefined();
          owners.set(job.ulid, session);
        }
        const verdicts = await store.settle(
          q.pool,
          jobs.map((job) => success(job)),
        );
        expect(new Set(verdicts)).toEqual(new Set(jobs.length === 0 ? [] : ['accepted']));
      }
    };

    await Promise.all(Array.from({ length: 8 }, (_, i) => claimAndSettle(`racer-${i}`)));

    expect([...owners.keys()].sort()).toEqual([...ulids].sort());
    expect(await q.redis.hgetall(`${q.base}b:race`)).toMatchObject({
      succeeded: String(total),
      queued: '0',
      running: '0',
    });
  });
});
