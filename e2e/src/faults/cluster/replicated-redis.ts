import { type SentinelGroup, startSentinelGroup, type TestRedis } from '@orchestrator/testing';
import { Redis } from 'ioredis';

/** As one server: `signal` goes to whoever leads, and `client` follows whoever does. */
export async function startReplicatedRedis(
  replicas: number,
  args: readonly string[],
): Promise<{ redis: TestRedis; sentinels: SentinelGroup }> {
  const sentinels = await startSentinelGroup({ replicas, args: [...args] });
  const clients: Redis[] = [];
  const [first] = sentinels.servers;
  return {
    sentinels,
    redis: {
      port: first?.port ?? 0,
      url: `redis://127.0.0.1:${first?.port ?? 0}`,
      client() {
        const addresses = sentinels.sentinels.map((text) => {
          const [host = '', port] = text.split(':');
          return { host, port: Number(port) };
        });
        const client = new Redis({
          sentinels: addresses,
          name: sentinels.name,
          failoverDetector: true,
          commandTimeout: 2_000,
          socketTimeout: 3_000,
        });
        client.on('error', () => undefined);
        clients.push(client);
        return client;
      },
      async signal(name) {
        await sentinels.servers[await sentinels.master()]?.signal(name);
      },
      restart: () => Promise.reject(new Error('the servers of a group are not started again')),
      async stop() {
        clients.forEach((client) => client.disconnect());
        await sentinels.stop();
      },
    },
  };
}
