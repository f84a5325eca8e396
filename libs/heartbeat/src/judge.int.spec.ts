import { systemRandom } from '@orchestrator/core';
import { createRedis } from '@orchestrator/redis';
import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock, startRedis, type TestRedis } from '@orchestrator/testing';

import { RegistryUnavailableError, StaleTermError } from './errors.js';
import { SessionJudge } from './judge.js';
import { RedisSessionRegistry } from './redis/redis-session-registry.js';
import type { Death } from './registry.js';
import { aHello, aRenewal, welcome } from './testing/sessions.js';

const SECOND_MS = 1_000;

describe('SessionJudge', () => {
  let server: TestRedis;
  let redis: ReturnType<typeof createRedis>;
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

  async function setup(over: { onDeath?: (death: Death) => Promise<void> } = {}) {
    const clock = new ManualClock();
    const registry = new RedisSessionRegistry({ redis, prefix: `t${count++}` });
    const deaths: Death[] = [];
    const stale: StaleTermError[] = [];
    const newJudge = async () =>
      new SessionJudge({
        registry,
        term: await registry.mintTerm('leader'),
        clock,
        random: systemRandom,
        logger: silentLogger,
        onDeath: over.onDeath ?? ((death) => void deaths.push(death)),
        onStaleTerm: (error) => stale.push(error),
      });
    const judge = await newJudge();
    /** Looks once a second, `seconds` times. */
    const watch = async (seconds: number, by: SessionJudge = judge): Promise<void> => {
      for (let i = 0; i < seconds; i++) {
        clock.advance(SECOND_MS);
        await by.runOnce();
      }
    };
    return { clock, registry, judge, newJudge, deaths, stale, watch };
  }

  it('declares a session dead 15 s after it saw the last renewal', async () => {
    const { registry, judge, deaths, watch } = await setup();
    const epoch = await welcome(registry);
    await judge.runOnce();
    await watch(10);
    await registry.renew([aRenewal('session-a', epoch)]);
    await watch(1);

    await watch(14);
    expect(deaths).toEqual([]);
    expect(judge.silentMs('session-a')).toBe(14 * SECOND_MS);
    await watch(1);

    expect(deaths).toMatchObject([{ session: 'session-a', worker: 'worker-1', reason: 'silent', losses: 4 }]);
    expect(await registry.hello(aHello({ number: 2, hasRun: true }))).toMatchObject({ status: 'session_dead' });
    await watch(20);
    expect(deaths).toHaveLength(1);
  });

  it('waits for the lease that the Hello was granted, and 3 s', async () => {
    const { registry, judge, deaths, watch } = await setup();
    await welcome(registry, { leaseMs: 20_000 });
    await judge.runOnce();

    await watch(22);
    expect(deaths).toEqual([]);
    await watch(1);
    expect(deaths).toHaveLength(1);
  });

  it('judges a superseded session, too: its jobs move as losses when its lease has run out', async () => {
    const { registry, judge, deaths, watch } = await setup();
    await registry.renew([aRenewal('session-a', await welcome(registry))]);
    const epoch = await welcome(registry, { session: 'session-b' });
    await registry.renew([aRenewal('session-b', epoch)]);
    await judge.runOnce();

    for (let i = 0; i < 15; i++) {
      expect(deaths).toEqual([]);
      await registry.renew([aRenewal('session-a', epoch + 9), aRenewal('session-b', epoch)]);
      await watch(1);
    }

    expect(deaths).toMatchObject([{ session: 'session-a', reason: 'silent', losses: 4 }]);
  });

  it('starts every window anew for a new leader', async () => {
    const { registry, judge, newJudge, deaths, watch } = await setup();
    await welcome(registry);
    await judge.runOnce();
    await watch(14);

    const successor = await newJudge();
    await watch(15, successor);
    expect(deaths).toEqual([]);
    await watch(1, successor);
    expect(deaths).toHaveLength(1);
  });

  it('starts every window anew when its own loop has stalled', async () => {
    const { clock, registry, judge, deaths, watch } = await setup();
    await welcome(registry);
    await judge.runOnce();
    await watch(10);
    clock.jump(30_000);

    await judge.runOnce();
    await watch(14);
    expect(deaths).toEqual([]);
    await watch(1);
    expect(deaths).toHaveLength(1);
  });

  it('is not moved by a jump of the wall clock', async () => {
    const { clock, registry, judge, deaths, watch } = await setup();
    await welcome(registry);
    await judge.runOnce();

    clock.setWall(3_600_000);
    await watch(14);
    expect(deaths).toEqual([]);
    clock.setWall(-7_200_000);
    await watch(1);
    expect(deaths).toHaveLength(1);
  });

  it('leaves alive what was renewed between its look and its verdict', async () => {
    const { clock, registry, judge, deaths, watch } = await setup();
    const epoch = await welcome(registry);
    await judge.runOnce();
    await watch(14);
    const pulses = registry.pulses.bind(registry);
    registry.pulses = async () => {
      const seen = await pulses();
      await registry.renew([aRenewal('session-a', epoch)]);
      return seen;
    };

    clock.advance(SECOND_MS);
    await judge.runOnce();

    expect(deaths).toEqual([]);
    expect(await registry.get('session-a')).toMatchObject({ state: 'alive' });
  });

  it('the term: one that wakes under an old one learns it from its first look, and judges nothing', async () => {
    const { registry, judge, stale, watch } = await setup();
    await welcome(registry);
    await judge.runOnce();
    await watch(1);
    const term = await registry.mintTerm('another leader');

    await expect(watch(1)).rejects.toThrow(`the current one is ${term}`);

    expect(stale).toHaveLength(1);
    expect(judge.silentMs('session-a')).toBeUndefined();
  });

  it('the term: a verdict under an old one is refused (STALE_TERM), and says so', async () => {
    const { registry, judge, deaths, stale, watch } = await setup();
    await welcome(registry);
    await judge.runOnce();
    await watch(14);
    const pulses = registry.pulses.bind(registry);
    registry.pulses = async () => {
      const seen = await pulses();
      await registry.mintTerm('another leader');
      return seen;
    };

    await expect(watch(1)).rejects.toBeInstanceOf(StaleTermError);

    expect(stale).toHaveLength(1);
    expect(deaths).toEqual([]);
    expect(await registry.get('session-a')).toMatchObject({ state: 'alive' });
  });

  it('survives a death that cannot be carried out', async () => {
    const carriedOut: string[] = [];
    const { registry, judge, watch } = await setup({
      onDeath: async ({ session }) => {
        carriedOut.push(session);
        throw new Error('pool unreachable');
      },
    });
    await welcome(registry);
    await welcome(registry, { session: 'session-b', worker: 'worker-2' });
    await judge.runOnce();

    await watch(15);

    expect(carriedOut.sort()).toEqual(['session-a', 'session-b']);
  });

  describe('sweep', () => {
    it('carries out again what the registry knows as dead, and leaves what lives', async () => {
      const { registry, judge } = await setup();
      await welcome(registry);
      await welcome(registry, { session: 'session-b', worker: 'worker-2' });
      const death = await registry.declareGone('session-b', 'process_ended');

      expect(await judge.sweep(['session-a', 'session-b'])).toEqual([death]);
      expect(await judge.sweep(['session-b', 'session-b'])).toEqual([death]);
    });

    it('enters as dead what only a gate knows, and moves its jobs 15 s later', async () => {
      const { clock, registry, judge } = await setup();

      expect(await judge.sweep(['session-x'])).toEqual([]);
      expect(await registry.get('session-x')).toMatchObject({ state: 'dead' });
      clock.advance(14_999);
      expect(await judge.sweep(['session-x'])).toEqual([]);
      clock.advance(1);
      expect(await judge.sweep(['session-x'])).toMatchObject([{ session: 'session-x', reason: 'unregistered' }]);
    });
  });

  it('looks by itself when it is started, and stops', async () => {
    const { clock, registry, judge } = await setup();
    await welcome(registry);

    await judge.start();
    clock.advance(SECOND_MS);
    await judge.runOnce();
    expect(judge.silentMs('session-a')).toBe(0);
    await judge.stop();

    expect(clock.pendingTimers).toBe(0);
  });
});

describe('SessionJudge and outages of Redis', () => {
  it('kills nobody when Redis was away or is another server than at the last look', async () => {
    const server = await startRedis({ persistent: true });
    const redis = createRedis({ url: server.url, connectionName: 'test' });
    const clock = new ManualClock();
    const deaths: Death[] = [];
    try {
      await redis.connect();
      const registry = new RedisSessionRegistry({ redis });
      const judge = new SessionJudge({
        registry,
        term: await registry.mintTerm('leader'),
        clock,
        random: systemRandom,
        logger: silentLogger,
        onDeath: (death) => void deaths.push(death),
      });
      const watch = async (seconds: number): Promise<void> => {
        for (let i = 0; i < seconds; i++) {
          clock.advance(SECOND_MS);
          await judge.runOnce();
        }
      };
      const reconnected = (): Promise<unknown> => new Promise((resolve) => redis.once('ready', resolve));
      const restart = async (): Promise<void> => {
        const ready = reconnected();
        await server.restart();
        await ready;
      };
      await welcome(registry);
      await judge.runOnce();
      await watch(14);

      // Away at a look.
      await server.signal('SIGTERM');
      await expect(watch(1)).rejects.toBeInstanceOf(RegistryUnavailableError);
      await restart();
      await judge.runOnce();
      await watch(14);
      expect(deaths).toEqual([]);

      // Restarted between two looks: only the run_id tells.
      await server.signal('SIGTERM');
      await restart();
      await watch(15);
      expect(deaths).toEqual([]);
      await watch(1);
      expect(deaths).toMatchObject([{ session: 'session-a' }]);
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });
});
