import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { Clock, Timer } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { peerOf } from '../sockets/address-group.js';
import { type Connection, FairConnections } from '../sockets/fair-connections.js';

/** An answer that was not taken yet. */
interface Answer {
  readonly response: ServerResponse;
  /** Since when it is complete, as far as was seen. */
  sinceMs: number | undefined;
}

/** What is under way on a connection on which something was asked. */
interface Talk {
  readonly connection: Connection;
  readonly answers: Answer[];
}

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
  // Not one Map of all answers: the tables that it leaves behind, each with a link to the next one, keep what was in them
  // alive until the next major collection of garbage, and what hangs on an answer is its whole request.
  readonly #talks = new Set<Talk>();
  /** By the socket that Node names, which with TLS is not the one that was accepted. */
  readonly #bySocket = new WeakMap<Socket, Talk>();
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

  #talkOf({ socket }: IncomingMessage): Talk | undefined {
    const known = this.#bySocket.get(socket);
    if (known !== undefined) {
      return known;
    }
    const connection = this.#connections.of(peerOf(socket));
    if (connection === undefined) {
      return undefined;
    }
    const talk: Talk = { connection, answers: [] };
    this.#bySocket.set(socket, talk);
    this.#talks.add(talk);
    return talk;
  }

  #begun(request: IncomingMessage, response: ServerResponse): void {
    const talk = this.#talkOf(request);
    if (talk === undefined) {
      return;
    }
    const { connection, answers } = talk;
    const answer: Answer = { response, sinceMs: undefined };
    this.#connections.begun(connection);
    answers.push(answer);
    // It closes once, so nothing has to be taken off again.
    response.on('close', () => {
      answers.splice(answers.indexOf(answer), 1);
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
    const nowMs = this.#params.clock.monotonicMs();
    for (const talk of this.#talks) {
      if (this.#connections.of(talk.connection.peer) !== talk.connection) {
        this.#talks.delete(talk);
      }
      for (const answer of [...talk.answers]) {
        this.#cutIfSlow(answer, nowMs);
      }
    }
  }

  #cutIfSlow(answer: Answer, nowMs: number): void {
    const { logger, takenWithinMs = TAKEN_WITHIN_MS } = this.#params;
    const { response, sinceMs } = answer;
    // One without a socket waits for others that were asked for before it on the same connection.
    if (!response.writableEnded || response.socket === null) {
      return;
    }
    if (sinceMs === undefined) {
      answer.sinceMs = nowMs;
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
