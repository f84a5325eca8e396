import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Stands between a client and its Redis and loses or delays what it is told to. */
export interface FaultProxy {
  readonly url: string;
  /** From now on the server hears everything and the client nothing. Resolves when the next answer was swallowed. */
  loseAnswers(): Promise<void>;
  /** Passes everything again, on new connections; those that are open are cut. */
  heal(): void;
  /** From now on every answer takes so long; 0 = at once. */
  slow(ms: number): void;
  /** As a failover: cuts what is open and leads to another server from now on. */
  redirect(port: number): void;
  stop(): Promise<void>;
}

export async function startFaultProxy(port: number): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  let onLost: (() => void) | undefined;
  let delayMs = 0;
  let target = port;
  const server = createServer((client) => {
    const redis = connect(target, '127.0.0.1');
    for (const [socket, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (data) => redis.write(data));
    redis.on('data', (data) => {
      if (onLost !== undefined) {
        onLost();
      } else if (delayMs === 0) {
        client.write(data);
      } else {
        setTimeout(() => client.write(data), delayMs);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: own } = server.address() as { port: number };
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    url: `redis://127.0.0.1:${own}`,
    loseAnswers: () =>
      new Promise((resolve) => {
        onLost = resolve;
      }),
    heal: () => {
      onLost = undefined;
      cut();
    },
    slow: (ms) => {
      delayMs = ms;
    },
    redirect: (to) => {
      target = to;
      cut();
    },
    stop: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
