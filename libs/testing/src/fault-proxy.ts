import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Stands between a client and its Redis and loses what it is told to lose. */
export interface FaultProxy {
  readonly url: string;
  /** From now on the server hears everything and the client nothing. Resolves when the next answer was swallowed. */
  loseAnswers(): Promise<void>;
  /** Passes everything again, on new connections; those that are open are cut. */
  heal(): void;
  stop(): Promise<void>;
}

export async function startFaultProxy(port: number): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  let onLost: (() => void) | undefined;
  const server = createServer((client) => {
    const redis = connect(port, '127.0.0.1');
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
      if (onLost === undefined) {
        client.write(data);
      } else {
        onLost();
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
    stop: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
