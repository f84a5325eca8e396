import { systemRandom } from '@orchestrator/core';
import { ANNOUNCE_INTERVAL_MS, RedisSessionRegistry } from '@orchestrator/heartbeat';
import { createRedis } from '@orchestrator/redis';
import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock, startRedis, type TestRedis } from '@orchestrator/testing';

import { SchedulerPresence } from './scheduler-presence.js';

const BOUND_MS = 5_000;

describe('the presence of this scheduler', () => {
  let server: TestRedis;
  let redis: ReturnType<typeof createRedis>;
  let registry: RedisSessionRegistry;
  let workers: number;

  beforeEach(async () => {
    server = await startRedis();
    redis = createRedis({ url: server.url, connectionName: 'test' });
    await redis.connect();
    registry = new RedisSessionRegistry({ redis });
    workers = 0;
  });

  afterEach(async () => {
    redis.disconnect();
    await server.stop();
  });

  function setup(): { clock: ManualClock; service: SchedulerPresence } {
    const clock = new ManualClock();
    const presence = () => ({ id: 'scheduler-1', version: '0.1.0', workers });
    const base = { clock, random: systemRandom, logger: silentLogger };
    return { clock, service: new SchedulerPresence({ ...base, registry, presence }) };
  }

  async function untilPresent(count: number): Promise<void> {
    const end = performance.now() + BOUND_MS;
    while ((await registry.schedulers())[0]?.workers !== count) {
      if (performance.now() > end) {
        throw new Error(`still ${JSON.stringify(await registry.schedulers())}`);
      }
    }
  }

  it('is announced at once, again in each interval, and withdrawn at the end', async () => {
    const { clock, service } = setup();

    await service.start();
    await untilPresent(0);
    workers = 2;
    clock.advance(ANNOUNCE_INTERVAL_MS);
    await untilPresent(2);
    await service.stop();

    expect(await registry.schedulers()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('holds up neither the start nor the stop while Redis is away', async () => {
    const { clock, service } = setup();
    await server.signal('SIGKILL');

    await service.start();
    await service.stop();

    expect(clock.pendingTimers).toBe(0);
  });
});
