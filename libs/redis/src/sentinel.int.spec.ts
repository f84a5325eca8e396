import { type SentinelGroup, startSentinelGroup, usesContainers } from '@orchestrator/testing';
import type { Redis } from 'ioredis';

import { createRedis } from './create-redis.js';

/** Sentinels agree within a second or two after the second of silence; then it is asked who leads. */
const FAILOVER_BOUND_MS = 10_000;
const FAIL_FAST_MS = 3_000;

/** Its servers announce loopback addresses to each other: they cannot be in containers. */
const describeHere = usesContainers() ? describe.skip : describe;

describeHere('a connection through Sentinels', () => {
  let group: SentinelGroup;
  let redis: Redis;
  const errors: Error[] = [];

  beforeEach(async () => {
    group = await startSentinelGroup();
    const { sentinels, name } = group;
    redis = createRedis({ sentinels, name, connectionName: 'test', onError: (error) => errors.push(error) });
    await redis.connect();
  });
  afterEach(async () => {
    redis.disconnect();
    await group.stop();
  });

  it('writes to the next master after the death of the first, and no call waits longer than its limit', async () => {
    await redis.set('before', '1');
    await group.servers[0]?.signal('SIGKILL');

    const { accepted, slowestMs } = await writeUntilAccepted(redis);

    expect(slowestMs).toBeLessThan(FAIL_FAST_MS);
    expect(await redis.get(accepted)).toBe(accepted);
    expect(await group.master()).not.toBe(0);
  });

  it('leaves a silent master; what that one executes when it wakes was accepted by nobody', async () => {
    await redis.set('before', '1');
    await group.servers[0]?.signal('SIGSTOP');

    const { accepted, refused, slowestMs } = await writeUntilAccepted(redis);
    await group.servers[0]?.signal('SIGCONT');

    expect(slowestMs).toBeLessThan(FAIL_FAST_MS);
    expect(await group.master()).not.toBe(0);
    // The old one is told to follow the new one and then holds what that holds.
    const old = group.servers[0]?.client() as Redis;
    await until(async () => (await old.role().catch(() => []))[3] === 'connected');
    expect(await old.get(accepted)).toBe(accepted);
    for (const key of refused) {
      expect([key, await redis.get(key)]).toEqual([key, null]);
    }
    await expect(redis.set('after', '1')).resolves.toBe('OK');
  });

  it('is made anew when ioredis gives up because masters change while it asks who leads', async () => {
    const ended = new Promise((resolve) => redis.once('end', resolve));
    const again = new Promise((resolve) => redis.on('ready', resolve));

    redis.disconnect(true);
    await new Promise((resolve) => redis.once('connecting', resolve));
    // What the announcement of another master does.
    (redis as unknown as { connector: { disconnect(): void } }).connector.disconnect();

    await ended;
    await again;
    await expect(redis.ping()).resolves.toBe('PONG');
  });

  it('passes over Sentinels that are silent, and ends for good when it is told to', async () => {
    const other = createRedis({
      sentinels: ['127.0.0.1:1', ...group.sentinels],
      name: group.name,
      connectionName: 'test',
    });
    await until(async () => (await listeners(group)) === 1);
    await other.connect();
    await expect(other.ping()).resolves.toBe('PONG');
    await until(async () => (await listeners(group)) === 2);

    const ended = new Promise((resolve) => other.once('end', resolve));
    await other.quit();
    await ended;

    await expect(other.ping()).rejects.toThrow('Connection is closed');
    await until(async () => (await listeners(group)) === 1);
  });
});

describe('passwords', () => {
  it('are taken from the master’s and the Sentinels’ addresses', () => {
    const redis = createRedis({
      sentinels: ['redis://watcher:s%40s@10.0.0.1:5000', '[::1]'],
      name: 'redis://user:p%3Aw@main/2',
      connectionName: 'test',
    });

    expect(redis.options).toMatchObject({
      sentinels: [
        { host: '10.0.0.1', port: 5000 },
        { host: '::1', port: 26_379 },
      ],
      name: 'main',
      db: 2,
      username: 'user',
      password: 'p:w',
      sentinelUsername: 'watcher',
      sentinelPassword: 's@s',
    });
  });
});

/** Writes one key after the other until one is accepted. */
async function writeUntilAccepted(redis: Redis): Promise<{ accepted: string; refused: string[]; slowestMs: number }> {
  const began = performance.now();
  const refused: string[] = [];
  let slowestMs = 0;
  for (;;) {
    const key = `write-${refused.length}`;
    const before = performance.now();
    const reply = await redis.set(key, key).catch(() => undefined);
    slowestMs = Math.max(slowestMs, performance.now() - before);
    const tookMs = performance.now() - began;
    if (reply === 'OK') {
      return { accepted: key, refused, slowestMs };
    }
    if (tookMs > FAILOVER_BOUND_MS) {
      throw new Error(`no write was accepted within ${FAILOVER_BOUND_MS} ms`);
    }
    refused.push(key);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Connections on which the first Sentinel is to announce another master. */
async function listeners(group: SentinelGroup): Promise<number> {
  const sentinel = createRedis({ url: `redis://${group.sentinels[0]}`, connectionName: 'test' });
  await sentinel.connect();
  const clients = (await sentinel.call('CLIENT', 'LIST')) as string;
  sentinel.disconnect();
  return clients.split('\n').filter((line) => line.includes('cmd=subscribe')).length;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + FAILOVER_BOUND_MS * 2;
  while (!(await holds())) {
    if (performance.now() > end) {
      throw new Error('it does not hold');
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
