import { systemRandom } from '@orchestrator/core';
import { silentLogger } from '@orchestrator/telemetry';

import { SchemaMismatchError } from '../../errors.js';
import { aJob, someJobs } from '../../testing/a-job.js';
import { failure, success } from '../../testing/an-end.js';
import { aChunk } from '../../testing/a-chunk.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { migrateData } from '../migrate-data.js';
import { migrate } from './migrate.js';

const FINAL = ['succeeded', 'failed', 'cancelled', 'skipped'];

/** As version 1 of the schema had them: a hash for each job. */
async function toSchema1(q: QueueSetup): Promise<void> {
  for (const ulid of await q.redis.hkeys(`${q.base}jobs`)) {
    const { outputs, end, ...record } = await q.record(ulid);
    const isFinal = FINAL.includes(record['state'] ?? '');
    await q.redis.hset(`${q.base}j:${ulid}`, {
      ...record,
      ...(outputs === undefined ? {} : { outputs: outputs.replaceAll(',', ' ') }),
      ...(isFinal && end !== undefined ? { end } : {}),
    });
  }
  await q.redis.del(`${q.base}jobs`, `${q.base}specs`, `${q.base}ends`);
  const running = (await q.redis.keys(`${q.base}s:*`)).map((key) => q.redis.zrange(key, '0', '-1'));
  await q.redis.del(`${q.base}running`);
  for (const ulid of (await Promise.all(running)).flat()) {
    await q.redis.zadd(`${q.base}running`, 1, ulid);
  }
  await q.redis.hset(`${q.base}calls`, 'schema', '1');
  await q.redis.set(q.keys.schema(), '1');
}

describe('migrate', () => {
  let bench: QueueBench;
  let q: QueueSetup;
  const bring = (): Promise<void> =>
    migrateData({ redis: q.redis, prefix: q.prefix, random: systemRandom, logger: silentLogger });

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(() => {
    q = bench.setup();
  });
  afterEach(() => q.assertInvariants());
  afterAll(() => bench.stop());

  it('brings jobs of each state over as they were, and they go on', async () => {
    const rule = { attempts: 3, batchId: 'b', labels: { a: 'x | y' } };
    const done = await q.run(aJob({ ...rule, priority: 5 }));
    await q.store.settle(q.pool, [success(done, { output: [aChunk(done, 'hello')] })]);
    const failed = await q.run(aJob({ priority: 5 }));
    await q.store.settle(q.pool, [failure(failed, { output: [aChunk(failed, 'oh')] })]);
    const again = await q.run(aJob({ ...rule, priority: 5 }));
    await q.store.settle(q.pool, [failure(again)]);
    const running = await q.run(aJob({ priority: 5 }));
    await q.store.cancel(q.pool, [running.ulid]);
    const large = aJob({ spec: { stdin: 'x'.repeat(10_000) } });
    const [cancelled = '', ...others] = await q.add(aJob(rule), aJob({ delayMs: 60_000 }), large, ...someJobs(600));
    await q.store.cancel(q.pool, [cancelled]);
    const ulids = [done, failed, again, running].map(({ ulid }) => ulid).concat(cancelled as never, others.slice(0, 4));
    const [before, texts] = [await q.store.getJobs(q.pool, ulids), await q.redis.hgetall(`${q.base}jobs`)];
    await toSchema1(q);

    await bring();
    await bring();

    expect(await q.redis.keys(`${q.base}j:*`)).toEqual([]);
    expect(await q.redis.get(q.keys.schema())).toBe('2');
    expect(await q.store.getJobs(q.pool, ulids)).toEqual(before);
    // What a letter had said of an end lies beside the record now; nothing else is different.
    const plain = Object.entries(texts).map(([ulid, text]) => [ulid, text.replace(/(\n\w+ \d+)[hc]\n$/, '$1e\n')]);
    expect(await q.redis.hgetall(`${q.base}jobs`)).toEqual(Object.fromEntries(plain));
    await q.store.settle(q.pool, [success(running)]);
    const { jobs } = await q.store.claim(q.pool, [aWant('session-a', { max: 10 })]);
    expect(jobs.map(({ ulid }) => ulid)).toContain(large.ulid);
    expect(
      await q.store.settle(
        q.pool,
        jobs.map((job) => success(job)),
      ),
    ).toEqual(jobs.map(() => 'accepted'));
  });

  it('lets nobody write meanwhile, and goes on where it was cut short', async () => {
    const [first = '', second = ''] = await q.add(...someJobs(2));
    await toSchema1(q);
    const call = (number: number): Parameters<typeof migrate.send>[1] => ({ base: q.base, clientId: 'm', number });
    await migrate.send(q.redis, call(1), { from: '1', to: '1-2', ulids: [first] });

    await expect(q.store.enqueue(q.pool, [aJob()])).rejects.toThrow(SchemaMismatchError);
    await bring();

    const jobs = await q.store.getJobs(q.pool, [first, second]);
    expect(jobs.map((job) => job?.state)).toEqual(['queued', 'queued']);
    expect(await q.store.enqueue(q.pool, [aJob()])).toMatchObject([{ state: 'queued' }]);
  });
});
