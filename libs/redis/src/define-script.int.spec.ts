import { startRedis, type TestRedis } from '@orchestrator/testing';

import { createRedis } from './create-redis.js';
import { defineScript, replyCode } from './define-script.js';

const echo = defineScript({
  name: 'echo',
  lua: "#!lua\nif ARGV[1] == 'refuse' then return redis.error_reply('STALE_OP too late') end\nreturn {KEYS[1], ARGV[1]}",
  keys: (params: { key: string; value: string | Buffer }) => [params.key],
  args: (params) => [params.value],
  reply: (raw) => raw as string[],
});

const echoBinary = defineScript({
  name: 'echo-binary',
  lua: '#!lua\nreturn ARGV[1]',
  keys: (params: { key: string; value: Buffer }) => [params.key],
  args: (params) => [params.value],
  reply: (raw) => raw as Buffer,
  binary: true,
});

describe('defineScript', () => {
  let redis: TestRedis;

  beforeAll(async () => {
    redis = await startRedis();
  });

  afterAll(async () => {
    await redis.stop();
  });

  it('hands over keys and arguments, also after SCRIPT FLUSH', async () => {
    const client = redis.client();
    await expect(echo(client, { key: 'k', value: 'v' })).resolves.toEqual(['k', 'v']);

    await client.script('FLUSH');

    await expect(echo(client, { key: 'k', value: 'v' })).resolves.toEqual(['k', 'v']);
  });

  it('keeps bytes as they are', async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 128]);

    await expect(echoBinary(redis.client(), { key: 'k', value: bytes })).resolves.toEqual(bytes);
  });

  it('lets the code of a refusal be read', async () => {
    const error: unknown = await echo(redis.client(), { key: 'k', value: 'refuse' }).catch((caught: unknown) => caught);

    expect(replyCode(error)).toBe('STALE_OP');
    expect(replyCode(new Error('STALE_OP of somebody else'))).toBeUndefined();
  });
});

describe('createRedis', () => {
  it('rejects within its limit while the server hangs, does not run the command twice, and recovers', async () => {
    const server = await startRedis();
    const client = createRedis({ url: server.url, connectionName: 'test' });
    try {
      await client.connect();
      await client.incr('n');
      await server.signal('SIGSTOP');
      const before = performance.now();

      await expect(client.incr('n')).rejects.toThrow();

      expect(performance.now() - before).toBeLessThan(3_000);
      await server.signal('SIGCONT');
      const probe = server.client();
      expect(Number(await probe.get('n'))).toBeLessThanOrEqual(2);
      await new Promise<void>((resolve) => (client.status === 'ready' ? resolve() : client.once('ready', resolve)));
      await expect(client.ping()).resolves.toBe('PONG');
    } finally {
      client.disconnect();
      await server.stop();
    }
  });

  it('rejects at once while nobody listens, and connects when the server is there', async () => {
    const server = await startRedis();
    const errors: Error[] = [];
    const client = createRedis({ url: server.url, connectionName: 'test', onError: (error) => errors.push(error) });
    try {
      await client.connect();
      const noticed = new Promise((resolve) => client.once('error', resolve));
      await server.signal('SIGKILL');
      await expect(client.ping()).rejects.toThrow();
      await noticed;
      expect(errors.length).toBeGreaterThan(0);

      const ready = new Promise((resolve) => client.once('ready', resolve));
      await server.restart();
      await ready;

      await expect(client.ping()).resolves.toBe('PONG');
    } finally {
      client.disconnect();
      await server.stop();
    }
  });
});
