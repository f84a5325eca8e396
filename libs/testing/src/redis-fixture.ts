import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis } from 'ioredis';

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

/** The server's program: what `npm test` found or fetched, else the one on the PATH. */
export function redisServerProgram(): string {
  return process.env['ORCHESTRATOR_REDIS_SERVER'] ?? 'redis-server';
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a private redis-server on a free loopback port, with no state but its own. */
export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'orchestrator-redis-'));
  const url = `redis://127.0.0.1:${port}`;
  const clients: Redis[] = [];
  let child: ChildProcess;

  const launch = async (): Promise<void> => {
    const persistence = options.persistent === true ? ['--appendonly', 'yes'] : ['--appendonly', 'no'];
    child = spawn(
      redisServerProgram(),
      ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', ...persistence].concat(
        options.args ?? [],
      ),
      { stdio: 'ignore' },
    );
    await Promise.race([waitUntilReady(port), failWhenItCannotStart(child)]);
  };

  await launch();
  return {
    url,
    port,
    client() {
      const client = new Redis(url, { maxRetriesPerRequest: 1 });
      client.on('error', () => undefined);
      clients.push(client);
      return client;
    },
    async signal(name) {
      const ends = name === 'SIGKILL' || name === 'SIGTERM';
      const ended = ends ? once(child, 'exit') : undefined;
      child.kill(name);
      await ended;
    },
    restart: launch,
    async stop() {
      for (const client of clients) {
        client.disconnect();
      }
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function failWhenItCannotStart(child: ChildProcess): Promise<never> {
  const [error] = (await Promise.race([once(child, 'error'), once(child, 'exit')])) as unknown[];
  throw new Error(`${redisServerProgram()} did not start: ${String(error)}`);
}

async function waitUntilReady(port: number): Promise<void> {
  const probe = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 20, maxRetriesPerRequest: null });
  probe.on('error', () => undefined);
  try {
    await probe.ping();
  } finally {
    probe.disconnect();
  }
}
