import { systemClock, systemRandom } from '@orchestrator/core';
import { createRedis } from '@orchestrator/redis';
import { type FaultProxy, freePort, startFaultProxy } from '@orchestrator/testing';

import { SchemaMismatchError, StaleCallError, StoreUnavailableError } from '../errors.js';
import { aJob } from '../testing/a-job.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';
import { PoolCalls } from './pool-calls.js';
import { RedisQueueStore } from './redis-queue-store.js';
import { enqueue } from './scripts/enqueue.js';
import { promote } from './scripts/promote.js';

describe('numbered calls of a client', () => {
  let bench: QueueBench;
  let proxy: FaultProxy;
  let q: QueueSetup;
  let connections: ReturnType<typeof createRedis>[];

  beforeAll(async () => {
    bench = await startBench();
    proxy = await startFaultProxy(bench.server.port);
  });
  beforeEach(() => {
    q = bench.setup();
    connections = [];
  });
  afterEach(() => connections.forEach((connection) => connection.disconnect()));
  afterAll(async () => {
    await proxy.stop();
    await bench.stop();
  });

  async function connectTo(url: string): Promise<ReturnType<typeof createRedis>> {
    const redis = createRedis({ url, connectionName: 'test' });
    connections.push(redis);
    await redis.connect().catch(() => undefined);
    return redis;
  }
  const params = (callTimeoutMs?: number) => ({
    clock: systemClock,
    random: systemRandom,
    prefix: q.prefix,
    ...(callTimeoutMs === undefined ? {} : { callTimeoutMs }),
  });
  const storeAt = async (url: string, callTimeoutMs?: number) =>
    new RedisQueueStore({ ...params(callTimeoutMs), redis: await connectTo(url) });
  const callsAt = async (url: string, callTimeoutMs?: number, maxWaiting?: number) =>
    new PoolCalls({
      ...params(callTimeoutMs),
      ...(maxWaiting === undefined ? {} : { maxWaiting }),
      keys: q.keys,
      redis: await connectTo(url),
    });
  const failureOf = async (call: Promise<unknown>): Promise<StoreUnavailableError> => {
    const error: unknown = await call.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StoreUnavailableError);
    return error as StoreUnavailableError;
  };

  it('go out in the order of asking, by two clients in turn, each with growing numbers', async () => {
    const jobs = Array.from({ length: 20 }, () => aJob());

    const replies = await Promise.all(jobs.map((job) => q.store.enqueue(q.pool, [job])));

    expect(replies).toHaveLength(20);
    expect(await q.redis.zrange(`${q.base}queued`, '0', '-1')).toEqual(jobs.map((job) => job.ulid));
    const calls = Object.entries(await q.redis.hgetall(`${q.base}calls`));
    const numbers = calls.filter(([client]) => /^[0-9a-f]{16}$/.test(client)).map(([, call]) => call.split(' ')[0]);
    expect(numbers).toEqual(['10', '10']);
    await q.assertInvariants();
  });

  it('are sent again with the same number when the answer is lost, and do nothing twice', async () => {
    const calls = await callsAt(proxy.url);
    await q.add(aJob()); // Redis knows the script from now on
    const job = aJob();
    const lost = proxy.loseAnswers();
    const asked = calls.write(q.pool, enqueue, [job], { resend: true });
    await lost;

    proxy.heal();

    expect(await asked).toMatchObject([{ ulid: job.ulid, state: 'queued', repeated: true }]);
    expect(await q.redis.hget(`${q.base}calls`, calls.clientId)).toMatch(/^1 /);
    expect(await q.redis.zcard(`${q.base}queued`)).toBe(2);
    await q.assertInvariants();
  });

  it('a claim without an answer is never repeated: it is reported as perhaps carried out', async () => {
    const store = await storeAt(proxy.url);
    await q.openGate('a');
    await store.claim(q.pool, []); // Redis knows the script from now on
    await q.add(aJob(), aJob());
    const lost = proxy.loseAnswers();
    const asked = failureOf(store.claim(q.pool, [aWant('a')]));
    await lost;

    proxy.heal();

    expect((await asked).mayHaveExecuted).toBe(true);
    expect(await q.redis.get(`${q.base}running`)).toBe('1');
    const next = await store.claim(q.pool, [aWant('a')]);
    expect(next.jobs).toHaveLength(1);
    await q.assertInvariants();
  });

  it('a claim that waited for its turn has its whole time from then on: a slow Redis is no lost answer', async () => {
    const store = await storeAt(proxy.url, 1_000);
    await q.openGate('a');
    await Promise.all([store.claim(q.pool, []), store.promote(q.pool)]); // Redis knows the scripts from now on
    await q.add(aJob());
    proxy.slow(600);
    try {
      const before = store.promote(q.pool);
      const { jobs } = await store.claim(q.pool, [aWant('a')]);

      await before;
      expect(jobs).toHaveLength(1);
    } finally {
      proxy.slow(0);
    }
  });

  it('end within their time when nobody listens, and certainly did nothing', async () => {
    const calls = await callsAt(`redis://127.0.0.1:${await freePort()}`, 300);
    const started = systemClock.monotonicMs();

    const errors = await Promise.all([
      failureOf(calls.write(q.pool, promote, undefined, { resend: true })),
      failureOf(calls.write(q.pool, promote, undefined, { resend: true })),
      failureOf(calls.write(q.pool, promote, undefined, { resend: false })),
    ]);

    expect(errors.map((error) => error.mayHaveExecuted)).toEqual([false, false, false]);
    expect(systemClock.monotonicMs() - started).toBeLessThan(1_000);
  });

  it('end within their time when Redis hangs, and go on when it does', async () => {
    const calls = await callsAt(bench.server.url, 300);
    const started = systemClock.monotonicMs();
    await bench.server.signal('SIGSTOP');

    const [first, behind, read] = await Promise.all([
      failureOf(calls.write(q.pool, enqueue, [aJob()], { resend: true })),
      failureOf(calls.write(q.pool, enqueue, [aJob()], { resend: true })),
      failureOf(calls.read('a read', () => connections[0]?.get('x') as Promise<unknown>)),
    ]);

    const took = systemClock.monotonicMs() - started;
    await bench.server.signal('SIGCONT');
    expect([first.mayHaveExecuted, behind.mayHaveExecuted, read.mayHaveExecuted]).toEqual([true, false, true]);
    expect(behind.message).toContain('the calls before it took all the time there was');
    expect(took).toBeLessThan(1_500);
    await calls.write(q.pool, promote, undefined, { resend: true });
    await q.assertInvariants();
  });

  it('wait for a server that is a replica for a moment', async () => {
    const calls = await callsAt(bench.server.url);
    await q.redis.call('REPLICAOF', '127.0.0.1', '1');
    const asked = calls.write(q.pool, enqueue, [aJob()], { resend: true });
    const claim = await failureOf(
      (await callsAt(bench.server.url, 200)).write(q.pool, promote, undefined, { resend: false }),
    );

    await q.redis.call('REPLICAOF', 'NO', 'ONE');

    expect(claim.mayHaveExecuted).toBe(false);
    expect(await asked).toMatchObject([{ state: 'queued' }]);
  });

  it('are refused at once when too many wait', async () => {
    const calls = await callsAt(bench.server.url, 1_000, 2);
    const call = () => calls.write(q.pool, promote, undefined, { resend: true });

    const [first, second, third, fourth] = [call(), call(), call(), failureOf(call())];

    expect((await fourth).message).toContain('2 calls are waiting');
    await expect(Promise.all([first, second, third])).resolves.toHaveLength(3);
    await expect(call()).resolves.toMatchObject({ moved: 0 });
  });

  it('are refused when a later call of the same client was there before', async () => {
    await q.redis.hset(`${q.base}calls`, q.store.clientId, '9 0');

    await expect(q.store.enqueue(q.pool, [aJob()])).rejects.toThrow(StaleCallError);
    expect(await q.redis.exists(`${q.base}queued`)).toBe(0);
  });

  it('are refused by a pool of another version of the schema, which is not touched', async () => {
    await q.redis.hset(`${q.base}calls`, 'schema', '3');

    await expect(q.store.enqueue(q.pool, [aJob()])).rejects.toThrow(SchemaMismatchError);
    await expect(q.store.claim(q.pool, [])).rejects.toThrow('this pool has schema version 3, the caller knows 2');
    expect(await q.redis.hgetall(`${q.base}calls`)).toEqual({ schema: '3' });
  });

  it('survive a restart of Redis, which has forgotten the scripts', async () => {
    await q.add(aJob());
    await q.redis.script('FLUSH');

    await q.add(aJob());

    expect(await q.redis.zcard(`${q.base}queued`)).toBe(2);
  });
});
