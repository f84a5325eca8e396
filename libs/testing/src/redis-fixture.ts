import { Redis } from 'ioredis';

import { freePort } from './free-port.js';
import { startRedisProcess } from './redis-process.js';

/** A real Redis of one test file's own. */
export interface TestRedis {
  /** redis://127.0.0.1:port */
  readonly url: string;
  readonly port: number;
  /** A connection that is closed by `stop`. */
  client(): Redis;
  /** Sends a signal to the server's process: SIGKILL, SIGSTOP, SIGCONT, SIGTERM. */
  signal(name: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and data after it ended. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestRedisOptions {
  /** More arguments for redis-server, as ["--maxmemory", "10mb"]. */
  args?: string[];
  /** Append-only file with everysec. Default false. */
  persistent?: boolean;
}

/** True when `npm test` found a Docker Engine: `startRedis` then uses containers. */
export function usesContainers(): boolean {
  return process.env['ORCHESTRATOR_TEST_REDIS'] === 'docker';
}

/** Starts a private Redis on a free loopback port, with no state but its own. */
export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const clients: Redis[] = [];
  const persistence = options.persistent === true ? 'yes' : 'no';
  const args = ['--save', '', '--appendonly', persistence, ...(options.args ?? [])];
  const server = usesContainers()
    ? await (await import('./redis-container.js')).startRedisContainer({ port, args })
    : await startRedisProcess({ port, args });
  await waitUntilReady(port);

  return {
    url,
    port,
    client() {
      const client = new Redis(url, { maxRetriesPerRequest: 1 });
      client.on('error', () => undefined);
      clients.push(client);
      return client;
    },
    signal: (name) => server.signal(name),
    async restart() {
      await server.restart();
      await waitUntilReady(port);
    },
    async stop() {
      for (const client of clients) {
        client.disconnect();
      }
      await server.remove();
    },
  };
}

const READY_WITHIN_MS = 20_000;

/** Asks until it answers: ioredis itself waits while a server reads its append-only file. */
async function waitUntilReady(port: number): Promise<void> {
  const end = performance.now() + READY_WITHIN_MS;
  const probe = new Redis({
    port,
    host: '127.0.0.1',
    maxRetriesPerRequest: null,
    retryStrategy: () => (performance.now() < end ? 20 : null),
  });
  probe.on('error', () => undefined);
  try {
    await probe.ping();
  } catch (error) {
    throw new Error(`no Redis answers on port ${port} within ${READY_WITHIN_MS} ms`, { cause: error });
  } finally {
    probe.disconnect();
  }
}
