import { createRedis, type RedisClient } from '@orchestrator/redis';
import { freePort, startRedis } from '@orchestrator/testing';

import { RegistryUnavailableError } from '../errors.js';
import { aRenewal, welcome } from '../testing/sessions.js';
import { RedisSessionRegistry } from './redis-session-registry.js';

const READY_WITHIN_MS = 10_000;

describe('RedisSessionRegistry under faults', () => {
  it('works in a full Redis', async () => {
    const server = await startRedis({ args: ['--maxmemory', '1kb', '--maxmemory-policy', 'noeviction'] });
    const redis = createRedis({ url: server.url, connectionName: 'test' });
    try {
      await redis.connect();
      await expect(redis.set('x', 'y')).rejects.toThrow(/OOM/);
      await exerciseAll(new RedisSessionRegistry({ redis }), redis);
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });

  it('slots: no script spans two, as a node of Redis Cluster sees to', async () => {
    const server = await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())] });
    const redis = createRedis({ url: server.url, connectionName: 'test' });
    try {
      await redis.connect();
      await redis.cluster('ADDSLOTSRANGE', 0, 16_383);
      await clusterReady(() => redis.cluster('INFO'));
      const spanning = "#!lua\nredis.call('SET', '{a}', '1') redis.call('SET', '{b}', '1')";
      await expect(redis.eval(spanning, 0)).rejects.toThrow(/do not hash to the same slot/);

      await exerciseAll(new RedisSessionRegistry({ redis }), redis);
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });

  it('rejects within the limit of a call while Redis hangs, and says so', async () => {
    const server = await startRedis();
    const redis = createRedis({ url: server.url, connectionName: 'test' });
    try {
      await redis.connect();
      const registry = new RedisSessionRegistry({ redis });
      await welcome(registry);
      await server.signal('SIGSTOP');

      await expect(registry.look()).rejects.toBeInstanceOf(RegistryUnavailableError);
    } finally {
      await server.signal('SIGCONT');
      redis.disconnect();
      await server.stop();
    }
  });
});

/** Calls each of its scripts. */
async function exerciseAll(registry: RedisSessionRegistry, redis: RedisClient): Promise<void> {
  await registry.announce({ id: 'scheduler-1', version: '1', workers: 0 });
  expect(await registry.schedulers()).toHaveLength(1);
  await registry.withdraw('scheduler-1');
  const epoch = await welcome(registry);
  expect(await registry.renew([aRenewal('session-a', epoch)])).toMatchObject([{ status: 'alive' }]);
  await welcome(registry, { session: 'session-b' });
  const term = await registry.mintTerm('leader');
  const { runId } = await registry.look();
  expect(await registry.drain('worker-1')).toBe('draining');
  expect(
    await registry.declareDead({ session: 'session-b', term, renewals: 1, runId, reason: 'silent' }),
  ).toMatchObject({ reason: 'silent' });
  expect(await registry.declareGone('session-a', 'left')).toMatchObject({ reason: 'left' });
  expect(await new RedisSessionRegistry({ redis, deadKeptMs: 0 }).forget(new Set())).toBe(2);
}

async function clusterReady(info: () => Promise<string>): Promise<void> {
  const end = performance.now() + READY_WITHIN_MS;
  while (!(await info()).includes('cluster_state:ok') && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
