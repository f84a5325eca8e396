import type { Socket } from 'node:net';

import type { Clock } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { addressGroup, peerOf } from './address-group.js';
import { type Crowd, Crowds } from './crowds.js';

export interface Connection {
  readonly socket: Socket;
  readonly peer: string;
  /** Since when nothing is under way on it, by the monotonic clock. */
  idleSinceMs: number;
  /** Requests, or calls that were let in. */
  underWay: number;
  /** Of all from the same address. */
  readonly crowd: Crowd<Connection>;
}

export interface FairConnectionsParams {
  /** For the log: what is connected. */
  name: string;
  limit: number;
  clock: Clock;
  logger: Logger;
}

/** An address with less than this part of all is let in even where nothing is idle. */
const GUARANTEED_PART = 64;
const TOLD_EVERY_MS = 10_000;

/**
 * All connections of one port, within a limit. Where it is reached, the one that has been idle for longest is closed, of
 * the address that has the most: nobody is locked out by what another one keeps open, and nothing that is under way is
 * harmed. Where all of that address are busy the newcomer is closed, unless its own address has next to none and the
 * other one more than half of all: then the newest of that goes.
 */
export class FairConnections {
  readonly #params: FairConnectionsParams;
  readonly #byPeer = new Map<string, Connection>();
  readonly #crowds = new Crowds<Connection>();
  #closed = 0;
  #toldMs: number | undefined;

  constructor(params: FairConnectionsParams) {
    this.#params = params;
  }

  get size(): number {
    return this.#byPeer.size;
  }

  get limit(): number {
    return this.#params.limit;
  }

  list(): IterableIterator<Connection> {
    return this.#byPeer.values();
  }

  of(peer: string): Connection | undefined {
    return this.#byPeer.get(peer);
  }

  /** Takes in what was accepted; it is forgotten when it closes. May close it, or another one. */
  add(socket: Socket): Connection {
    const crowd = this.#crowds.of(addressGroup(socket.remoteAddress));
    const idleSinceMs = this.#params.clock.monotonicMs();
    const connection: Connection = { socket, peer: peerOf(socket), idleSinceMs, underWay: 0, crowd };
    // The kernel gives a pair of addresses away again only after the connection that had it is closed.
    this.#byPeer.set(connection.peer, connection);
    this.#crowds.add(crowd, connection);
    socket.once('close', () => this.#remove(connection));
    if (this.#byPeer.size > this.#params.limit) {
      this.#makeRoom(connection);
    }
    return connection;
  }

  /** A request has come, or a call was let in. */
  begun(connection: Connection): void {
    connection.underWay += 1;
    connection.crowd.isBusy(connection);
  }

  /** One of those is over. */
  ended(connection: Connection): void {
    connection.underWay -= 1;
    if (connection.underWay === 0 && this.#byPeer.get(connection.peer) === connection) {
      connection.idleSinceMs = this.#params.clock.monotonicMs();
      connection.crowd.isIdle(connection);
    }
  }

  /** Closes it at once, whatever it does. */
  close(connection: Connection): void {
    this.#remove(connection);
    connection.socket.destroy();
  }

  #makeRoom(newcomer: Connection): void {
    const crowd = this.#crowds.largest(newcomer.crowd);
    const victim = crowd.longestIdle(newcomer) ?? this.#withoutIdle(crowd, newcomer);
    this.close(victim);
    this.#tell(crowd);
  }

  #withoutIdle(crowd: Crowd<Connection>, newcomer: Connection): Connection {
    const { limit } = this.#params;
    const isGuaranteed = newcomer.crowd.size <= Math.ceil(limit / GUARANTEED_PART) && crowd.size > limit / 2;
    return crowd !== newcomer.crowd && isGuaranteed ? (crowd.newestBusy() ?? newcomer) : newcomer;
  }

  #remove(connection: Connection): void {
    if (this.#byPeer.get(connection.peer) === connection) {
      this.#byPeer.delete(connection.peer);
      this.#crowds.remove(connection.crowd, connection);
    }
  }

  #tell({ address, size }: Crowd<Connection>): void {
    const { clock, logger, limit, name } = this.#params;
    this.#closed += 1;
    const nowMs = clock.monotonicMs();
    if (this.#toldMs === undefined || nowMs - this.#toldMs > TOLD_EVERY_MS) {
      logger.warn('connections are closed to make room', {
        of: name,
        closed: this.#closed,
        limit,
        most: address,
        size,
      });
      this.#toldMs = nowMs;
      this.#closed = 0;
    }
  }
}
