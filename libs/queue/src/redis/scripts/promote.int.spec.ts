import { aJob, newUlid, someJobs } from '../../testing/a-job.js';
import { type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { promote } from './promote.js';

describe('promote', () => {
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

  it('moves what is due, earliest first, behind what waits with the same priority', async () => {
    const [later, sooner, far] = [2_000, 1_000, 900_000].map((delayMs) => aJob({ delayMs }));
    const waiting = aJob();
    await q.add(later as never, sooner as never, waiting);
    await q.makeDue();
    await q.add(far as never);

    const reply = await q.store.promote(q.pool);

    expect(reply).toMatchObject({ moved: 2, queued: 3 });
    expect(reply.nextDueInMs).toBeGreaterThan(890_000);
    expect(reply.nextDueInMs).toBeLessThanOrEqual(900_000);
    expect(await q.redis.zrange(`${q.base}queued`, '0', '-1')).toEqual([waiting.ulid, sooner?.ulid, later?.ulid]);
    expect(await q.events()).toContain(`queued ${sooner?.ulid} 0 -`);
  });

  it('moves nothing before it is due', async () => {
    await q.add(aJob({ delayMs: 60_000 }));

    expect(await q.store.promote(q.pool)).toMatchObject({ moved: 0, queued: 0 });
  });

  it('says that nothing waits', async () => {
    expect(await q.store.promote(q.pool)).toEqual({ moved: 0, queued: 0, nextDueInMs: undefined });
  });

  it('moves a bounded number and says that more is due', async () => {
    await q.add(...someJobs(300, { delayMs: 60_000 }));
    await q.makeDue();

    expect(await q.store.promote(q.pool)).toEqual({ moved: 250, queued: 250, nextDueInMs: 0 });
    expect(await q.store.promote(q.pool)).toEqual({ moved: 50, queued: 300, nextDueInMs: undefined });
  });

  it('drops what has no record', async () => {
    await q.redis.zadd(`${q.base}scheduled`, 1, newUlid());

    expect(await q.store.promote(q.pool)).toEqual({ moved: 0, queued: 0, nextDueInMs: undefined });
  });

  it('does no more when it is sent twice, and nothing behind a later call', async () => {
    await q.add(aJob({ delayMs: 60_000 }));
    await q.makeDue();

    const first = await q.send(promote, 5, undefined);
    const again = await q.send(promote, 5, undefined);

    expect([first.moved, again.moved]).toEqual([1, 0]);
    await expect(q.send(promote, 4, undefined)).rejects.toThrow('STALE_OP');
  });
});
