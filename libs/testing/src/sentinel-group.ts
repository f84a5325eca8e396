import { Redis } from 'ioredis';

import { freePort } from './free-port.js';
import { startRedisProcess } from './redis-process.js';
import type { RedisServer } from './redis-server.js';

export interface GroupServer {
  port: number;
  /** Sends a signal to its process: SIGKILL, SIGSTOP, SIGCONT. */
  signal(name: NodeJS.Signals): Promise<void>;
  /** A connection straight to it, closed by `stop`. */
  client(): Redis;
}

/** A master, its replicas and three Sentinels: processes of this one, on loopback. */
export interface SentinelGroup {
  /** host:port of each Sentinel. */
  sentinels: string[];
  /** The Sentinels' name of the master. */
  name: string;
  /** The first one is the master at the start. */
  servers: readonly GroupServer[];
  /** Index of the server that Sentinels name now. */
  master(): Promise<number>;
  stop(): Promise<void>;
}

export interface SentinelGroupOptions {
  /** Default 2. */
  replicas?: number;
  /** More arguments for every redis-server. */
  args?: string[];
  /** Files for TLS, as redis-server takes them: then nobody of the group speaks plain text. */
  tlsArgs?: string[];
}

const NAME = 'main';
const SENTINELS = 3;
const QUORUM = 2;
const READY_WITHIN_MS = 30_000;

/** A master counts as down after a second of silence. It takes no writes without a replica (min-replicas-to-write). */
export async function startSentinelGroup(options: SentinelGroupOptions = {}): Promise<SentinelGroup> {
  const processes: RedisServer[] = [];
  const clients: Redis[] = [];
  const connect = (port: number): Redis => {
    const tls = options.tlsArgs === undefined ? {} : { tls: { rejectUnauthorized: false } };
    const client = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: 3, commandTimeout: 1_000, ...tls });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  const stop = async (): Promise<void> => {
    clients.forEach((client) => client.disconnect());
    await Promise.all(processes.map((one) => one.remove()));
  };
  const start = async (args: string[], file?: string): Promise<{ port: number; process: RedisServer }> => {
    const port = await freePort();
    const tls = options.tlsArgs && [
      '--port',
      '0',
      '--tls-port',
      String(port),
      '--tls-replication',
      'yes',
      ...options.tlsArgs,
    ];
    const process = await startRedisProcess({
      port,
      args: [...args, ...(tls ?? [])],
      ...(file === undefined ? {} : { file }),
    });
    processes.push(process);
    return { port, process };
  };

  try {
    const common = ['--save', '', '--repl-diskless-sync-delay', '0', '--min-replicas-to-write', '1'];
    const servers: GroupServer[] = [];
    for (let index = 0; index <= (options.replicas ?? 2); index += 1) {
      const first = servers[0];
      const role = first === undefined ? [] : ['--replicaof', `127.0.0.1 ${first.port}`];
      const { port, process } = await start([...common, ...(options.args ?? []), ...role]);
      servers.push({ port, signal: (name) => process.signal(name), client: () => connect(port) });
    }
    const monitored = [
      `sentinel monitor ${NAME} 127.0.0.1 ${servers[0]?.port ?? 0} ${QUORUM}`,
      `sentinel down-after-milliseconds ${NAME} 1000`,
      `sentinel failover-timeout ${NAME} 3000`,
    ].join('\n');
    const sentinels: number[] = [];
    for (let index = 0; index < SENTINELS; index += 1) {
      sentinels.push((await start(['--sentinel'], monitored)).port);
    }
    await waitUntilJoined(sentinels.map(connect), servers.length - 1);
    return {
      sentinels: sentinels.map((port) => `127.0.0.1:${port}`),
      name: NAME,
      servers,
      async master() {
        const [, port] = (await connect(sentinels[0] ?? 0).call(
          'SENTINEL',
          'GET-MASTER-ADDR-BY-NAME',
          NAME,
        )) as string[];
        return servers.findIndex((server) => String(server.port) === port);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Each Sentinel knows the others and the replicas: only then they can agree on a failover. */
async function waitUntilJoined(sentinels: readonly Redis[], replicas: number): Promise<void> {
  const end = performance.now() + READY_WITHIN_MS;
  for (const sentinel of sentinels) {
    for (;;) {
      const facts = (await sentinel.call('SENTINEL', 'MASTER', NAME).catch(() => [])) as string[];
      const fact = (name: string): number => Number(facts[facts.indexOf(name) + 1]);
      if (facts.length > 0 && fact('num-slaves') === replicas && fact('num-other-sentinels') === SENTINELS - 1) {
        break;
      }
      if (performance.now() > end) {
        throw new Error(`a group of Sentinels is not complete within ${READY_WITHIN_MS} ms: ${facts.join(' ')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
