import type { RetentionLimits, TrimReply } from '../../store.js';
import { aChunk } from '../../testing/a-chunk.js';
import { aJob, someJobs } from '../../testing/a-job.js';
import { success } from '../../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { trim } from './trim.js';

const KEEP_ALL: RetentionLimits = { maxFinished: 1_000_000, maxOutputBytes: 1_000_000 };

describe('trim', () => {
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

  /** Until there is no more; answers the sums. */
  const trimAll = async (limits: RetentionLimits): Promise<{ jobs: number; outputs: number; steps: TrimReply[] }> => {
    const steps: TrimReply[] = [];
    for (let more = true; more; more = steps.at(-1)?.more ?? false) {
      steps.push(await q.store.trim(q.pool, limits));
    }
    const sum = (field: 'jobs' | 'outputs'): number => steps.reduce((total, step) => total + step[field], 0);
    return { jobs: sum('jobs'), outputs: sum('outputs'), steps };
  };
  /** Runs the jobs to success, each with this output. */
  const succeed = async (count: number, overrides: Parameters<typeof aJob>[0], output = 'x'): Promise<string[]> => {
    await q.openGate('session-a');
    const ulids = await q.add(...someJobs(count, overrides));
    for (let left = count; left > 0;) {
      const { jobs } = await q.store.claim(q.pool, [aWant('session-a', { max: 250 })]);
      left -= jobs.length;
      await q.store.settle(
        q.pool,
        jobs.map((job) => success(job, { output: [aChunk(job, output)] })),
      );
    }
    return ulids;
  };
  const ofThePool = ['calls', 'events', 'gates', 'outputBytes', 'running', 'seq'];

  it('leaves no key behind when many jobs of several batches have expired', async () => {
    await q.store.putBatch({ batchId: 'one', name: undefined, total: 700, pools: [q.pool] });
    await q.store.putBatch({ batchId: 'two', name: 'second', total: 330, pools: [q.pool] });
    await succeed(700, { batchId: 'one', retainMs: 0 });
    const cancelled = await q.add(...someJobs(330, { batchId: 'two', retainMs: 0 }));
    for (let i = 0; i < cancelled.length; i += 250) {
      await q.store.cancel(q.pool, cancelled.slice(i, i + 250));
    }
    await q.store.sealBatch('one');
    await q.store.sealBatch('two');

    const { jobs, steps } = await trimAll(KEEP_ALL);

    expect(jobs).toBe(1_030);
    expect(Math.max(...steps.map((step) => step.jobs))).toBeLessThanOrEqual(2 * 750);
    expect(steps.flatMap(({ emptiedBatches }) => emptiedBatches).sort()).toEqual(['one', 'two']);
    const keys = await q.redis.keys(`${q.base}*`);
    expect(keys.map((key) => key.slice(q.base.length)).sort()).toEqual(ofThePool);
    expect(await q.redis.get(`${q.base}outputBytes`)).toBe('0');
    expect(await q.store.getBatch('one')).toBeUndefined();
    expect(await q.redis.exists(q.keys.batch('one'), q.keys.batch('two'))).toBe(0);
  });

  it('keeps what has not expired, and what has not ended', async () => {
    await succeed(2, { retainMs: 60_000 });
    await q.add(aJob({ retainMs: 0 }), aJob({ retainMs: 0, delayMs: 60_000 }));

    expect(await trimAll(KEEP_ALL)).toMatchObject({ jobs: 0, outputs: 0 });

    expect(await q.store.counts(q.pool)).toMatchObject({ succeeded: 2, queued: 1, scheduled: 1 });
  });

  it('removes beyond maxFinished the ones that expire first, across all final states', async () => {
    const [late = ''] = await succeed(1, { retainMs: 300_000 });
    const [early = '', middle = ''] = await q.add(aJob({ retainMs: 100_000 }), aJob({ retainMs: 200_000 }));
    await q.store.cancel(q.pool, [early, middle]);

    expect(await trimAll({ ...KEEP_ALL, maxFinished: 2 })).toMatchObject({ jobs: 1 });
    expect(await q.state(early)).toBeUndefined();

    expect(await trimAll({ ...KEEP_ALL, maxFinished: 1 })).toMatchObject({ jobs: 1 });
    expect(await q.state(late)).toBe('succeeded');
    expect(await trimAll({ ...KEEP_ALL, maxFinished: 0 })).toMatchObject({ jobs: 1 });
  });

  it('counts many beyond maxFinished down in steps of 750', async () => {
    await succeed(1_700, {});

    const { jobs, steps } = await trimAll({ ...KEEP_ALL, maxFinished: 20 });

    expect(jobs).toBe(1_680);
    expect(steps.slice(0, 3).map((step) => [step.jobs, step.more])).toEqual([
      [750, true],
      [750, true],
      [180, false],
    ]);
    expect(await q.store.counts(q.pool)).toMatchObject({ succeeded: 20 });
  });

  it('removes outputs beyond maxOutputBytes, oldest first, and keeps their jobs', async () => {
    const ulids = [];
    for (let i = 0; i < 4; i += 1) {
      ulids.push(...(await succeed(1, {}, '0123456789')));
      await q.redis.zadd(`${q.base}outputs`, i + 1, `${ulids[i]}:1`);
    }

    expect(await trimAll({ ...KEEP_ALL, maxOutputBytes: 25 })).toMatchObject({ jobs: 0, outputs: 2 });

    const kept = await Promise.all(ulids.map((ulid) => q.store.readOutput(q.pool, ulid, 1)));
    expect(kept.map((output) => output !== undefined)).toEqual([false, false, true, true]);
    expect(await q.store.counts(q.pool)).toMatchObject({ succeeded: 4 });
    expect(await q.redis.get(`${q.base}outputBytes`)).toBe('20');
  });

  it('takes the output of a running job up again behind what it removed', async () => {
    const job = await q.run();
    await q.store.appendOutput(q.pool, [aChunk(job, 'gone')]);
    await trimAll({ ...KEEP_ALL, maxOutputBytes: 0 });

    expect(await q.store.appendOutput(q.pool, [aChunk(job, 'kept', { offset: 4 })])).toEqual([
      { verdict: 'stored', endOffset: 8 },
    ]);

    expect((await q.store.readOutput(q.pool, job.ulid, 1))?.chunks).toMatchObject([{ offset: 4 }]);
  });

  it('removes dead entries of the order of creation between living ones', async () => {
    const [first = ''] = await q.add(aJob());
    await succeed(150, { retainMs: 0, priority: 1 });
    for (const job of someJobs(120, { retainMs: 0 })) {
      await q.store.cancel(q.pool, await q.add(job));
    }
    const [last = ''] = await q.add(aJob());

    await trimAll(KEEP_ALL);
    await trimAll(KEEP_ALL);

    const entries = await q.redis.xrange(`${q.base}created`, '-', '+');
    expect(entries.map(([, [, ulids]]) => ulids)).toEqual([first, last]);
  });

  it('removes dead entries however many, small and large ones mixed, in several steps', async () => {
    const cancelled: string[] = [];
    for (let i = 0; i < 130; i += 1) {
      cancelled.push(...(await q.add(...someJobs(i % 40 === 39 ? 250 : 1, { retainMs: 0 }))));
    }
    const [last = ''] = await q.add(aJob());
    for (let i = 0; i < cancelled.length; i += 250) {
      await q.store.cancel(q.pool, cancelled.slice(i, i + 250));
    }

    await trimAll(KEEP_ALL);

    const entries = await q.redis.xrange(`${q.base}created`, '-', '+');
    expect(entries.map(([, [, ulids]]) => ulids)).toEqual([last]);
  });

  it('removes many jobs with as many outputs as a job may have', async () => {
    const ulids = await succeed(750, { retainMs: 0 });
    const starts = Array.from({ length: 20 }, (_, i) => i + 1).join(' ');
    for (const ulid of ulids) {
      await q.patch(ulid, { outputs: starts });
    }

    expect(await q.store.trim(q.pool, KEEP_ALL)).toMatchObject({ jobs: 750 });
  });

  it('forgets clients that were idle for a day, and never the version of the schema or the server', async () => {
    const now = await q.now();
    await q.add(aJob());
    await q.redis.hset(`${q.base}calls`, 'idle', `7 ${now - 86_400_001}`, 'busy', `7 ${now - 86_000_000}`);
    for (let i = 0; i < 400; i += 1) {
      await q.redis.hset(`${q.base}calls`, `idle-${i}`, `1 ${now - 90_000_000}`);
    }

    for (let i = 0; i < 12; i += 1) {
      await q.store.trim(q.pool, KEEP_ALL);
    }

    expect((await q.redis.hkeys(`${q.base}calls`)).sort()).toEqual(
      ['busy', q.store.clientId, 'schema', 'server'].sort(),
    );
  });

  it('keeps the record of a batch until all its pools have no job left', async () => {
    await q.store.putBatch({ batchId: 'b', name: undefined, total: 2, pools: [q.pool, 'other'] });
    await q.store.enqueue('other', [aJob({ batchId: 'b' })]);
    const [ulid = ''] = await q.add(aJob({ batchId: 'b', retainMs: 0 }));
    await q.store.sealBatch('b');
    await q.store.cancel(q.pool, [ulid]);

    expect((await trimAll(KEEP_ALL)).steps.flatMap((step) => step.emptiedBatches)).toEqual([]);

    expect(await q.store.getBatch('b')).toMatchObject({ done: false, counts: { cancelled: 1, queued: 1 } });
  });

  it('gives a batch that was never sealed a day before it forgets it', async () => {
    await q.store.putBatch({ batchId: 'b', name: undefined, total: 2, pools: [q.pool] });
    const [ulid = ''] = await q.add(aJob({ batchId: 'b', retainMs: 0 }));
    await q.store.cancel(q.pool, [ulid]);

    await trimAll(KEEP_ALL);
    expect(await q.store.getBatch('b')).toMatchObject({ sealed: false, counts: { cancelled: 1 } });
    expect(await q.redis.pttl(q.keys.batch('b'))).toBeGreaterThan(86_000_000);

    // Its submission is completed after all.
    const [rest = ''] = await q.add(aJob({ batchId: 'b', retainMs: 0 }));
    await q.store.sealBatch('b');
    expect(await q.redis.pttl(q.keys.batch('b'))).toBe(-1);
    await trimAll(KEEP_ALL);
    expect(await q.store.getBatch('b')).toMatchObject({ counts: { cancelled: 1, queued: 1 } });

    await q.store.cancel(q.pool, [rest]);
    await trimAll(KEEP_ALL);
    expect(await q.store.getBatch('b')).toBeUndefined();
    expect(await q.redis.exists(`${q.base}b:b`, `${q.base}emptied`)).toBe(0);
  });

  it('works in a full Redis', async () => {
    await succeed(3, { retainMs: 0 });
    await q.redis.config('SET', 'maxmemory', '1');

    try {
      await expect(q.add(aJob())).rejects.toMatchObject({ code: 'STORE_FULL' });
      expect(await q.store.trim(q.pool, KEEP_ALL)).toMatchObject({ jobs: 3 });
    } finally {
      await q.redis.config('SET', 'maxmemory', '0');
    }
  });

  it('is idempotent: sent again with the same number or a new one it goes on from what it finds', async () => {
    await succeed(3, { retainMs: 0 });
    const params = { ...KEEP_ALL, goneBatches: [] };

    expect(await q.send(trim, 1, params)).toMatchObject({ jobs: 3 });
    expect(await q.send(trim, 1, params)).toMatchObject({ jobs: 0 });
    expect(await q.send(trim, 2, params)).toMatchObject({ jobs: 0 });
    await expect(q.send(trim, 1, params)).rejects.toThrow(/^STALE_OP/);
  });
});
