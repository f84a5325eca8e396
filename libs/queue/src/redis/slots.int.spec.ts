import { freePort } from '@orchestrator/testing';

import { aJob, someJobs } from '../testing/a-job.js';
import { success } from '../testing/an-end.js';
import { type ScriptCase, SCRIPT_CASES } from '../testing/script-cases.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';

const SLOTS_READY_MS = 10_000;
const LOOK_EVERY_MS = 20;

/** One node of Redis Cluster that has all slots: it refuses every script and command that touches two. */
describe('slots: no script spans two', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    // Else the bus has its own port 10,000 above, where there may be none.
    bench = await startBench({ args: ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())] });
    const redis = bench.server.client();
    await redis.cluster('ADDSLOTSRANGE', 0, 16_383);
    const end = performance.now() + SLOTS_READY_MS;
    while (!(await redis.cluster('INFO')).includes('cluster_state:ok') && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  });
  beforeEach(() => {
    q = bench.setup();
  });
  afterAll(() => bench.stop());

  it('is what this server sees to', async () => {
    const spanning = "#!lua\nredis.call('SET', '{a}', '1') redis.call('SET', '{b}', '1')";

    await expect(q.redis.eval(spanning, 0)).rejects.toThrow(/do not hash to the same slot/);
  });

  it.each(Object.keys(SCRIPT_CASES))('%s keeps to one', async (name) => {
    const send = await (SCRIPT_CASES[name] as ScriptCase).prepare(q);

    await expect(send(1)).resolves.toBeDefined();

    await q.assertInvariants();
  });

  it('lets jobs of several pools and a batch over them be added, run, listed, counted and removed', async () => {
    const batch = { batchId: 'batch-1', name: 'n', total: 4, pools: ['default', 'gpu'] };
    await q.store.putBatch(batch);
    for (const pool of batch.pools) {
      await q.store.enqueue(pool, someJobs(2, { batchId: batch.batchId, retainMs: 0 }));
      await q.store.reconcile(pool, { session: 's', worker: 'w', epoch: 1, held: [], last: true });
      const { jobs } = await q.store.claim(pool, [aWant('s', { max: 2 })]);
      await q.store.settle(
        pool,
        jobs.map((job) => success(job)),
      );
      await q.store.enqueue(pool, [aJob()]);
    }
    await q.store.sealBatch(batch.batchId);

    expect(await q.store.getBatch(batch.batchId)).toMatchObject({ counts: { succeeded: 4 } });
    expect((await q.store.listJobs({}, { limit: 50 })).jobs).toHaveLength(6);
    expect(await q.store.pools()).toEqual(batch.pools);
    for (const pool of batch.pools) {
      expect(await q.store.counts(pool)).toMatchObject({ queued: 1, succeeded: 2 });
      await q.store.trim(pool, { maxFinished: 0, maxOutputBytes: 0 });
    }
    const { created } = await q.store.beginIdempotent('key', { bodyHash: 'x', ids: [], createdAt: 1 });
    expect(created).toBe(true);
  });
});
