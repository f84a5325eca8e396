import { aJob, someJobs } from '../../testing/a-job.js';
import { failure, success } from '../../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';

describe('Counting jobs: counts', () => {
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

  const none = { blocked: 0, scheduled: 0, queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0, skipped: 0 };

  it('is zero for each state in a pool that is not there', async () => {
    expect(await q.store.counts(q.pool)).toEqual(none);
  });

  it('is right for each state', async () => {
    await q.openGate('a');
    const [cancelled = ''] = await q.add(...someJobs(7, { attempts: 1 }), aJob({ delayMs: 60_000 }));
    await q.store.cancel(q.pool, [cancelled]);
    const { jobs } = await q.store.claim(q.pool, [aWant('a', { max: 5 })]);
    const [first, second, third] = jobs as [(typeof jobs)[0], (typeof jobs)[0], (typeof jobs)[0]];
    await q.store.settle(q.pool, [success(first), success(second), failure(third)]);

    expect(await q.store.counts(q.pool)).toEqual({
      ...none,
      scheduled: 1,
      queued: 1,
      running: 2,
      succeeded: 2,
      failed: 1,
      cancelled: 1,
    });
  });
});
