import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';

import { createSchedulerApp } from './app.js';
import { loadSchedulerConfig } from './config.js';
import { memoryStream } from './testing/memory-stream.js';

describe('a port that cannot be listened on', () => {
  let other: Server;
  let port: number;
  beforeAll(async () => {
    other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    ({ port } = other.address() as AddressInfo);
  });
  afterAll(() => other.close());

  const start = async (...argv: string[]): Promise<void> => {
    const all = ['--http-port', '0', '--grpc-port', '0', '--redis-url', 'redis://127.0.0.1:1', ...argv];
    const loaded = loadSchedulerConfig(all, {});
    if (loaded.outcome !== 'run') {
      throw new Error('an answer');
    }
    const app = createSchedulerApp({ ...loaded, stdout: memoryStream().stream as NodeJS.WriteStream });
    try {
      await app.service.start();
    } finally {
      await app.service.stop();
    }
  };

  it.each(['http', 'grpc'])('is named with its key: %s', async (section) => {
    await expect(start(`--${section}-port`, String(port))).rejects.toThrow(
      `${section} cannot listen on 127.0.0.1:${port}: another program listens there already: expected a free port (${section}.port, 0 = any free one)`,
    );
  });

  it.each(['http', 'grpc'])('is named with its host, where that is the reason: %s', async (section) => {
    // 192.0.2.0/24 is for documentation: nobody has it.
    await expect(start(`--${section}-host`, '192.0.2.1', '--auth-mode', 'none')).rejects.toThrow(`(${section}.host)`);
  });
});
