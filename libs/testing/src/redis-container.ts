import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { GenericContainer } from 'testcontainers';

import { type RedisServer, type RedisServerParams } from './redis-server.js';

const execute = promisify(execFile);

export const REDIS_IMAGE = 'redis:7-bookworm';

/** A Redis in a container with a fixed port, so that it is found again after a restart. */
export async function startRedisContainer({ port, args }: RedisServerParams): Promise<RedisServer> {
  const container = await new GenericContainer(REDIS_IMAGE)
    .withExposedPorts({ container: 6379, host: port })
    .withLabels({ 'orchestrator.test': process.env['ORCHESTRATOR_TEST_RUN'] ?? 'by-hand' })
    .withCommand(['redis-server', '--port', '6379', ...args])
    .start();
  const id = container.getId();
  return {
    async signal(name) {
      await execute('docker', ['kill', '--signal', name, id]);
      if (name === 'SIGKILL' || name === 'SIGTERM') {
        await execute('docker', ['wait', id]);
      }
    },
    async restart() {
      await execute('docker', ['start', id]);
    },
    async remove() {
      await execute('docker', ['rm', '--force', '--volumes', id]);
    },
  };
}
