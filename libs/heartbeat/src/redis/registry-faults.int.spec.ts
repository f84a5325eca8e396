import { createRedis } from '@orchestrator/redis';
import { startRedis } from '@orchestrator/testing';

import { RegistryUnavailableError } from '../errors.js';
import { aRenewal, welcome } from '../testing/sessions.js';
import { RedisSessionRegistry } from './redis-session-registry.js';

describe('RedisSessionRegistry under faults', () => {
  it('works in a full Redis', async () => {
    const server = await startRedis({ args: ['--maxmemory', '1kb', '--maxmemory-policy', 'noeviction'] });
    const redis = createRedis({ url: server.url, connectionName: 'test' });
    try {
      await redis.connect();
      await expect(redis.set('x', 'y')).rejects.toThrow(/OOM/);
      const registry = new RedisSessionRegistry({ redis });

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
