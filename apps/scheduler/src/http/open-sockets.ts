import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Knows which connections have a request under way. Node's own `closeIdleConnections` leaves those alone on which
 * nothing was asked yet (browsers open such in advance): a server would wait for their headers to time out.
 */
export class OpenSockets {
  readonly #requests = new Map<Socket, number>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#requests.set(socket, 0);
      socket.once('close', () => this.#requests.delete(socket));
    });
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#add(socket, 1);
      response.once('close', () => this.#add(socket, -1));
    });
  }

  closeIdle(): void {
    for (const [socket, requests] of this.#requests) {
      if (requests === 0) {
        socket.destroy();
      }
    }
  }

  closeAll(): void {
    for (const socket of this.#requests.keys()) {
      socket.destroy();
    }
  }

  #add(socket: Socket, change: number): void {
    const requests = this.#requests.get(socket);
    if (requests !== undefined) {
      this.#requests.set(socket, requests + change);
    }
  }
}
