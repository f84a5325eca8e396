import { RECOVERY_MIN_MS } from '../../store.js';
import { aJob } from '../../testing/a-job.js';
import { dumpPool } from '../../testing/dump-pool.js';
import { type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';

describe('A look at a pool: glance', () => {
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

  it('finds nothing in a pool that is not there', async () => {
    expect(await q.store.glance(q.pool)).toEqual({ queued: 0, nextDueInMs: undefined });
  });

  it('counts what is queued, says when the next job is due, and changes nothing', async () => {
    await q.add(aJob(), aJob(), aJob({ delayMs: 60_000 }), aJob({ delayMs: 90_000 }));
    const before = await dumpPool(q.redis, q.base);

    const { queued, nextDueInMs = NaN, ...rest } = await q.store.glance(q.pool);

    expect([queued, rest]).toEqual([2, {}]);
    expect(nextDueInMs).toBeGreaterThan(55_000);
    expect(nextDueInMs).toBeLessThanOrEqual(60_000);
    expect(await dumpPool(q.redis, q.base)).toEqual(before);
  });

  it('says the same of a recovery as is answered when it is asked for', async () => {
    await q.add(aJob());
    await q.moveServer();

    const { queued, recovery } = await q.store.glance(q.pool);

    expect(queued).toBe(1);
    expect(recovery).toMatchObject({ begun: false, notBeforeMs: RECOVERY_MIN_MS });
    expect(recovery).toEqual(await q.store.recovery(q.pool));
  });
});
