import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { Clock, Timer } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { peerOf } from '../sockets/address-group.js';
import { type Connection, FairConnections } from '../sockets/fair-connections.js';

export interface OpenSocketsParams {
  server: Server;
  /** How many connections there may be. */
  limit: number;
  clock: Clock;
  logger: Logger;
  /** Default `TAKEN_WITHIN_MS`. */
  takenWithinMs?: number | undefined;
}

/** Who has not taken an answer so long after all of it was written is cut off: it lies in memory until then. */
export const TAKEN_WITHIN_MS = 60_000;
const LOOK_MS = 1_000;

/**
 * The connections of the REST API: which of them have a request under way, and no more than the limit. Node's own
 * `closeIdleConnections` leaves those alone on which nothing was asked yet (browsers open such in advance): a server would
 * wait for their headers to time out.
 */
export class OpenSockets {
  readonly #params: OpenSocketsParams;
  readonly #connections: FairConnections;
  /** Answers that were not taken, and since when they are complete, as far as was seen. */
  readonly #answers = new Map<ServerResponse, number | undefined>();
  /** By the socket that Node names, which with TLS is not the one that was accepted. */
  readonly #bySocket = new WeakMap<Socket, Connection>();
  /** Our side has said all that it had to say; seen at the last look. */
  readonly #over = new WeakSet<Connection>();
  #look: Timer | undefined;

  constructor(params: OpenSocketsParams) {
    this.#params = params;
    const { server, limit, clock, logger } = params;
    this.#connections = new FairConnections({ name: 'http', limit, clock, logger });
    // With TLS this is the connection below: it counts from the beginning of its handshake.
    server.on('connection', (socket: Socket) => this.#connections.add(socket));
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#begun(request, response));
  }

  get size(): number {
    return this.#connections.size;
  }

  start(): void {
    this.#look = this.#params.clock.setTimer(LOOK_MS, () => {
      this.#cutSlowReaders();
      this.#closeOver();
      this.start();
    });
  }

  stop(): void {
    this.#look?.cancel();
  }

  closeIdle(): void {
    for (const connection of [...this.#connections.list()]) {
      if (connection.underWay === 0) {
        this.#connections.close(connection);
      }
    }
  }

  closeAll(): void {
    for (const connection of [...this.#connections.list()]) {
      this.#connections.close(connection);
    }
  }

  #of({ socket }: IncomingMessage): Connection | undefined {
    let connection = this.#bySocket.get(socket);
    if (connection === undefined) {
      connection = this.#connections.of(peerOf(socket));
      if (connection !== undefined) {
        this.#bySocket.set(socket, connection);
      }
    }
    return connection;
  }

  #begun(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#of(request);
    if (connection === undefined) {
      return;
    }
    this.#connections.begun(connection);
    this.#answers.set(response, undefined);
    // It closes once, so nothing has to be taken off again.
    response.on('close', () => {
      this.#answers.delete(response);
      this.#connections.ended(connection);
    });
  }

  /** What was no request is answered and ended, and some clients never end their side. */
  #closeOver(): void {
    for (const connection of [...this.#connections.list()]) {
      if (this.#over.has(connection)) {
        this.#connections.close(connection);
      } else if (connection.socket.writableEnded) {
        this.#over.add(connection);
      }
    }
  }

  #cutSlowReaders(): void {
    const { clock, logger, takenWithinMs = TAKEN_WITHIN_MS } = this.#params;
    const nowMs = clock.monotonicMs();
    for (const [response, sinceMs] of this.#answers) {
      // One without a socket waits for others that were asked for before it on the same connection.
      if (!response.writableEnded || response.socket === null) {
        continue;
      }
      if (sinceMs === undefined) {
        this.#answers.set(response, nowMs);
      } else if (nowMs - sinceMs > takenWithinMs) {
        const { remoteAddress, writableLength } = response.socket;
        logger.warn('a client reads its answer too slowly: its connection was cut', {
          address: remoteAddress,
          waitingBytes: writableLength,
          takenWithinMs,
        });
        response.destroy();
      }
    }
  }
}
