import { type Redis } from 'ioredis';
import { startRedis } from '@orchestrator/testing';

import { inspectServer } from './inspect-server.js';

async function inspected(args: string[], persistent = false, change?: (redis: Redis) => unknown) {
  const server = await startRedis({ args, persistent });
  try {
    const redis = server.client();
    await change?.(redis);
    return await inspectServer(redis);
  } finally {
    await server.stop();
  }
}

describe('inspectServer', () => {
  it('has nothing to say of a server that is set up well', async () => {
    const facts = await inspected([], true);

    expect(facts.warnings).toEqual([]);
    expect(facts.tooOld).toBeUndefined();
    expect(Number.parseInt(facts.version, 10)).toBeGreaterThanOrEqual(7);
  });

  it('warns of eviction and of missing persistence', async () => {
    const facts = await inspected(['--maxmemory-policy', 'allkeys-lru']);

    expect(facts.warnings).toEqual([
      expect.stringContaining('maxmemory-policy is allkeys-lru'),
      expect.stringContaining('writes nothing to disk'),
    ]);
  });

  it('warns of snapshots only', async () => {
    const facts = await inspected([], false, (redis) => redis.config('SET', 'save', '3600 1'));

    expect(facts.warnings).toEqual([expect.stringContaining('snapshots only')]);
  });

  it('names a server that is too old', async () => {
    const old = { info: async () => 'redis_version:6.2.14\r\naof_enabled:1\r\n', config: async () => ['save', ''] };

    expect(await inspectServer(old as unknown as Redis)).toMatchObject({
      version: '6.2.14',
      tooOld: 'Redis 7 or newer',
    });
  });
});
