import { InvalidValueError, systemClock, systemRandom } from '@orchestrator/core';
import { createRedis } from '@orchestrator/redis';
import { startFaultProxy, startRedis, type TestRedis, type TestRedisOptions } from '@orchestrator/testing';
import { Cluster, type Redis } from 'ioredis';

import { DurabilityUnknownError, StoreUnavailableError } from '../errors.js';
import { queueKeys } from '../keys.js';
import { aJob, someJobs } from '../testing/a-job.js';
import type { Durability } from './durability.js';
import { CALL_TIMEOUT_MS } from './pool-calls.js';
import { RedisQueueStore } from './redis-queue-store.js';

const base = queueKeys().pool('default');
const jobsKey = `${base}jobs`;
const ends: (() => unknown)[] = [];

async function aServer(options: TestRedisOptions = {}): Promise<TestRedis> {
  const server = await startRedis(options);
  ends.push(() => server.stop());
  return server;
}

/** A master with one replica that follows it already. */
async function aPair(): Promise<{ master: TestRedis; replica: TestRedis }> {
  const [master, replica] = await Promise.all([aServer({ args: ['--repl-diskless-sync-delay', '0'] }), aServer()]);
  const probe = replica.client();
  await probe.replicaof('127.0.0.1', master.port);
  while ((await probe.role())[3] !== 'connected') {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { master, replica };
}

async function aStore(url: string, durability: Durability): Promise<{ store: RedisQueueStore; redis: Redis }> {
  const redis = createRedis({ url, connectionName: 'test' });
  ends.push(() => redis.disconnect());
  await redis.connect();
  return { redis, store: new RedisQueueStore({ redis, clock: systemClock, random: systemRandom, durability }) };
}

async function calls(server: TestRedis, command: string): Promise<number> {
  const stats = await server.client().info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) {
    await end();
  }
});

describe('durability replica:1', () => {
  it('enqueue resolves when the replica has the job', async () => {
    const { master, replica } = await aPair();
    const { store } = await aStore(master.url, 'replica:1');
    const probe = replica.client();
    const jobs = someJobs(20);

    for (const job of jobs) {
      await store.enqueue('default', [job]);
      expect(await probe.hexists(jobsKey, job.ulid)).toBe(1);
    }
  });

  it('is unknown, never accepted, while the replica is silent; the job is there, and the same call confirms it later', async () => {
    const { master, replica } = await aPair();
    const { store } = await aStore(master.url, 'replica:1');
    const job = aJob();
    await replica.signal('SIGSTOP');
    const began = performance.now();

    await expect(store.enqueue('default', [job])).rejects.toThrow(DurabilityUnknownError);

    expect(performance.now() - began).toBeLessThan(CALL_TIMEOUT_MS);
    expect(await master.client().hexists(jobsKey, job.ulid)).toBe(1);
    await replica.signal('SIGCONT');
    expect(await store.enqueue('default', [job])).toMatchObject([{ ulid: job.ulid, repeated: true }]);
    expect(await store.counts('default')).toMatchObject({ queued: 1 });
  });

  it('writes again where the connection leads to another master before WAIT: its answer would be about nothing', async () => {
    const [{ master }, next] = await Promise.all([aPair(), aPair()]);
    const proxy = await startFaultProxy(master.port);
    ends.push(() => proxy.stop());
    const { store, redis } = await aStore(proxy.url, 'replica:1');
    await store.enqueue('default', [aJob()]);
    await redis.ping();
    const send = redis.call.bind(redis) as (...args: unknown[]) => Promise<unknown>;
    let waits = 0;
    redis.call = async (...args: unknown[]) => {
      if (args[0] === 'WAIT' && ++waits === 1) {
        const ready = new Promise((resolve) => redis.once('ready', resolve));
        proxy.redirect(next.master.port);
        await ready;
      }
      return send(...args);
    };
    const job = aJob();

    const [reply] = await store.enqueue('default', [job]);

    expect(reply).toMatchObject({ ulid: job.ulid, repeated: false });
    expect(waits).toBe(2);
    expect(await master.client().hexists(jobsKey, job.ulid)).toBe(1);
    expect(await next.master.client().hexists(jobsKey, job.ulid)).toBe(1);
    expect(await next.replica.client().hexists(jobsKey, job.ulid)).toBe(1);
  });

  it('asks once for all that were written meanwhile', async () => {
    const { master } = await aPair();
    const { store } = await aStore(master.url, 'replica:1');
    await store.enqueue('default', [aJob()]);
    const before = await calls(master, 'wait');

    await Promise.all(Array.from({ length: 50 }, (_, i) => store.enqueue(`pool-${i}`, [aJob()])));

    expect((await calls(master, 'wait')) - before).toBeLessThan(25);
  });
});

describe('durability disk', () => {
  it('needs nothing more than the answer of a server that flushes always', async () => {
    const server = await aServer({ persistent: true, args: ['--appendfsync', 'always'] });
    const { store } = await aStore(server.url, 'disk');
    const job = aJob();

    await store.enqueue('default', [job]);

    await server.signal('SIGKILL');
    await server.restart();
    expect(await server.client().hexists(jobsKey, job.ulid)).toBe(1);
  });

  it.each([
    ['appendonly', false, []],
    ['appendfsync', true, []],
    ['no-appendfsync-on-rewrite', true, ['--appendfsync', 'always', '--no-appendfsync-on-rewrite', 'yes']],
  ])('refuses, writes nothing and names %s where that loses what was answered', async (setting, persistent, args) => {
    const server = await aServer({ persistent, args });
    const { store } = await aStore(server.url, 'disk');
    const job = aJob();

    const error = await store.enqueue('default', [job]).catch((caught: unknown) => caught);

    if (((await server.client().call('COMMAND', 'INFO', 'WAITAOF')) as unknown[])[0] !== null && persistent) {
      expect(error).toMatchObject([{ ulid: job.ulid }]);
      return;
    }
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error).toMatchObject({ mayHaveExecuted: false, message: expect.stringContaining(setting) as string });
    expect(await server.client().hexists(jobsKey, job.ulid)).toBe(0);
  });
});

describe('durability', () => {
  it.each(['disk ', 'replica', 'replica:0', 'replica:10', 'Disk'])('%j is none', async (durability) => {
    const redis = createRedis({ url: 'redis://127.0.0.1:1', connectionName: 'test' });

    expect(
      () =>
        new RedisQueueStore({
          redis,
          clock: systemClock,
          random: systemRandom,
          durability: durability as Durability,
        }),
    ).toThrow(InvalidValueError);
  });

  it('is memory in a Cluster: WAIT has no key that leads it to a node', () => {
    const redis = new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true });

    expect(
      () => new RedisQueueStore({ redis, clock: systemClock, random: systemRandom, durability: 'replica:1' }),
    ).toThrow(InvalidValueError);
  });
});
