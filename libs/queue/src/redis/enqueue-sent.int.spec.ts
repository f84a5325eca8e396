import { someJobs } from '../testing/a-job.js';
import { type QueueBench, startBench } from '../testing/setup.js';

describe('enqueue', () => {
  let bench: QueueBench;

  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(() => bench.stop());

  it('tells when jobs are on their way: what is asked right behind finds them', async () => {
    const { store, pool } = bench.setup();
    await store.enqueue(pool, someJobs(1)); // Redis knows the script now
    let count: ReturnType<typeof store.counts> | undefined;

    const replies = await store.enqueue(pool, someJobs(3), () => {
      count ??= store.counts(pool);
    });

    expect(replies).toHaveLength(3);
    expect(await count).toMatchObject({ queued: 4 });
  });
});
