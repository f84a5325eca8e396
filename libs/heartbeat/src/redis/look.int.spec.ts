import { createRedis } from '@orchestrator/redis';
import { startRedis, type TestRedis } from '@orchestrator/testing';

import { aHello, aRenewal, welcome } from '../testing/sessions.js';
import { RedisSessionRegistry } from './redis-session-registry.js';

describe('What the registry tells of all sessions', () => {
  let server: TestRedis;
  let redis: ReturnType<typeof createRedis>;
  let registry: RedisSessionRegistry;
  let count = 0;

  beforeAll(async () => {
    server = await startRedis();
    redis = createRedis({ url: server.url, connectionName: 'test' });
    await redis.connect();
  });

  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  beforeEach(() => {
    registry = new RedisSessionRegistry({ redis, prefix: `t${count++}` });
  });

  describe('look', () => {
    it('shows all that live and what died lately, with the server', async () => {
      await welcome(registry);
      await welcome(registry, { session: 'session-b', worker: 'worker-2' });
      await registry.declareGone('session-b', 'left');
      expect((await registry.look()).term).toBe(0);
      const term = await registry.mintTerm('leader');

      const look = await registry.look();

      expect(look.runId).toMatch(/^[0-9a-f]{40}$/);
      expect(look.sessions.map(({ session, state }) => [session, state])).toEqual([
        ['session-a', 'alive'],
        ['session-b', 'dead'],
      ]);
      expect(look.term).toBe(term);
      expect(look.now).toBeGreaterThanOrEqual(look.sessions[0]?.lastRenewedAt ?? Infinity);
    });

    it('tells the same of a session as `get`, whatever its labels hold', async () => {
      const labels = { odd: 'a line\nand another\t|', empty: '' };
      const epoch = await welcome(registry, { info: { ...aHello().info, labels } });
      await registry.renew([{ ...aRenewal('session-a', epoch), wedged: true }]);
      await welcome(registry, { session: 'session-b', worker: 'worker-2' });
      await registry.declareGone('session-b', 'process_ended');

      const { sessions } = await registry.look();

      expect(sessions[0]?.info.labels).toEqual(labels);
      expect(sessions).toEqual([await registry.get('session-a'), await registry.get('session-b')]);
    });
  });

  it.each(['session', 'worker', 'scheduler'])(
    'refuses a %s whose name would be read as something else',
    async (field) => {
      await expect(registry.hello(aHello({ [field]: 'two words' }))).rejects.toThrow(
        `${field} is "two words": expected`,
      );
      expect((await registry.pulses()).living).toEqual([]);
    },
  );

  describe('pulses', () => {
    it('are the renewals and the lease of all that live, with the server and the term', async () => {
      expect((await registry.pulses()).living).toEqual([]);
      await registry.renew([aRenewal('session-a', await welcome(registry))]);
      await registry.renew([aRenewal('session-b', await welcome(registry, { session: 'session-b', leaseMs: 20_000 }))]);
      await welcome(registry, { session: 'session-c', worker: 'worker-2' });
      await registry.declareGone('session-c', 'left');
      const term = await registry.mintTerm('leader');

      const { living, ...rest } = await registry.pulses();

      expect(rest).toEqual({ runId: (await registry.look()).runId, term });
      expect(living.sort((a, b) => a.session.localeCompare(b.session))).toEqual([
        { session: 'session-a', renewals: 2, leaseMs: 12_000 },
        { session: 'session-b', renewals: 2, leaseMs: 20_000 },
      ]);
    });
  });
});
