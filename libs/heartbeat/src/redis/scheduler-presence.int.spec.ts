import { createRedis } from '@orchestrator/redis';
import { startRedis, type TestRedis } from '@orchestrator/testing';

import { controlKeys } from '../keys.js';
import { PRESENCE_MS } from '../registry.js';
import { RedisSessionRegistry } from './redis-session-registry.js';

describe('the presence of schedulers', () => {
  let server: TestRedis;
  let redis: ReturnType<typeof createRedis>;
  let prefix: string;
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
    prefix = `t${count++}`;
    registry = new RedisSessionRegistry({ redis, prefix });
  });

  const one = { id: 'scheduler-1', version: '0.1.0 beta', workers: 3 };
  const two = { id: 'scheduler-2', version: '0.1.0', workers: 0 };
  /** As an announcement that long ago left it. */
  const announcedAgo = async (id: string, ms: number): Promise<void> => {
    const { now } = await registry.look();
    await redis.hset(`${controlKeys(prefix).base}schedulers`, id, `${now - ms} 1 0.1.0`);
  };
  const entered = (): Promise<string[]> => redis.hkeys(`${controlKeys(prefix).base}schedulers`);

  it('names those that announced themselves, as they last did, until they withdraw', async () => {
    expect(await registry.schedulers()).toEqual([]);
    await registry.announce(two);
    await registry.announce({ ...one, workers: 1 });
    await registry.announce(one);
    expect(await registry.schedulers()).toEqual([one, two]);

    await registry.withdraw('scheduler-1');
    await registry.withdraw('scheduler-1');
    expect(await registry.schedulers()).toEqual([two]);
  });

  it('answers none that was silent for PRESENCE_MS, and the next announcement removes it', async () => {
    await announcedAgo('scheduler-old', PRESENCE_MS + 1);
    await announcedAgo('scheduler-still', PRESENCE_MS / 2);
    await registry.announce(one);
    await announcedAgo('scheduler-old', PRESENCE_MS + 1);
    expect((await registry.schedulers()).map(({ id }) => id)).toEqual(['scheduler-1', 'scheduler-still']);

    await registry.announce(two);
    expect((await entered()).sort()).toEqual(['scheduler-1', 'scheduler-2', 'scheduler-still']);
  });

  it('does not keep one for ever that was announced before the clock of Redis was set back', async () => {
    await announcedAgo('scheduler-ahead', -3_600_000);
    expect(await registry.schedulers()).toEqual([]);

    await registry.announce(one);
    expect(await entered()).toEqual(['scheduler-1']);
  });

  it('is bounded: beyond 250 no more are entered, those that are there go on', async () => {
    for (let i = 0; i < 250; i++) {
      await registry.announce({ ...one, id: `scheduler-${1_000 + i}` });
    }
    await registry.announce(two);
    await registry.announce({ ...one, id: 'scheduler-1000', workers: 7 });

    const present = await registry.schedulers();
    expect(present).toHaveLength(250);
    expect(present[0]).toMatchObject({ id: 'scheduler-1000', workers: 7 });
  });
});
