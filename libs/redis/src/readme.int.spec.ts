import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { startRedis } from '@orchestrator/testing';

import { createRedis, defineScript } from './index.js';

describe("README's example", () => {
  it('is what is run here', () => {
    const readme = readFileSync(join(__dirname, '../README.md'), 'utf8');
    const example = /```ts\n([^]*?)```/.exec(readme)?.[1]?.trim() ?? 'no example';
    const source = readFileSync(__filename, 'utf8').replace(/^ {4}/gm, '');

    expect(source).toContain(example);
  });

  it('calls a script as a function', async () => {
    const server = await startRedis();
    const { url } = server;

    const addOnce = defineScript({
      name: 'add-once',
      lua: "#!lua\nreturn redis.call('SADD', KEYS[1], ARGV[1])",
      keys: ({ set }: { set: string; member: string }) => [set],
      args: ({ member }) => [member],
      reply: (raw) => raw === 1,
    });

    const redis = createRedis({ url, connectionName: 'example' });
    await redis.connect();
    const added = await addOnce(redis, { set: 'workers', member: 'worker-1' });
    const addedAgain = await addOnce(redis, { set: 'workers', member: 'worker-1' });

    expect([added, addedAgain]).toEqual([true, false]);
    redis.disconnect();
    await server.stop();
  });
});
