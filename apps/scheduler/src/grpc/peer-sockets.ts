import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

import type { Clock, Timer } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { type Connection, FairConnections } from '../sockets/fair-connections.js';

/** Node tells here of each connection that a server of this process accepts. */
const ACCEPTED = 'net.server.socket';

export interface PeerLimits {
  /** Without a call that was let in under way a connection is closed after so long. */
  idleMs: number;
  /** Calls that were refused: so many more, and the connection is closed. */
  refusedCalls: number;
}

export const DEFAULT_PEER_LIMITS: PeerLimits = { idleMs: 15_000, refusedCalls: 20 };
const LOOK_MS = 1_000;
const TOLD_EVERY_MS = 10_000;

export interface PeerSocketsParams {
  isOurPort(port: number | undefined): boolean;
  /** How many connections there may be. */
  limit: number;
  clock: Clock;
  logger: Logger;
  limits?: PeerLimits | undefined;
}

/**
 * The TCP connections to the gRPC port, by the address that a call names as its peer. gRPC gives no way to end a
 * connection whose client answers pings and reads nothing, or opens streams without end, or none at all.
 */
export class PeerSockets {
  private readonly connections: FairConnections;
  private readonly refusals = new WeakMap<Connection, number>();
  private readonly onAccepted = (message: unknown): void => this.add((message as { socket: Socket }).socket);
  private watching = false;
  private look: Timer | undefined;
  /** Connections closed for refused calls, since that was last told. */
  private refusedCount = 0;
  private toldMs: number | undefined;

  constructor(private readonly params: PeerSocketsParams) {
    const { limit, clock, logger } = params;
    this.connections = new FairConnections({ name: 'grpc', limit, clock, logger });
  }

  get size(): number {
    return this.connections.size;
  }

  start(): void {
    if (!this.watching) {
      this.watching = true;
      subscribe(ACCEPTED, this.onAccepted);
      this.scheduleLook();
    }
  }

  stop(): void {
    this.watching = false;
    unsubscribe(ACCEPTED, this.onAccepted);
    this.look?.cancel();
  }

  /** The connection that the peer has now; undefined when it is gone. */
  of(peer: string): Socket | undefined {
    return this.connections.of(peer)?.socket;
  }

  /** A call was let in. Answers what to do when it is over. */
  begun(peer: string): () => void {
    const connection = this.connections.of(peer);
    if (connection === undefined) {
      return () => undefined;
    }
    this.connections.begun(connection);
    return () => this.connections.ended(connection);
  }

  /** A call was refused. */
  refused(peer: string): void {
    const connection = this.connections.of(peer);
    if (connection !== undefined) {
      const calls = (this.refusals.get(connection) ?? 0) + 1;
      this.refusals.set(connection, calls);
      if (calls > this.limits.refusedCalls) {
        this.connections.close(connection);
        this.tellOfRefused(peer);
      }
    }
  }

  /** Who is refused comes again at once: the log does not grow with it. */
  private tellOfRefused(peer: string): void {
    const nowMs = this.params.clock.monotonicMs();
    this.refusedCount += 1;
    if (this.toldMs === undefined || nowMs - this.toldMs > TOLD_EVERY_MS) {
      this.params.logger.warn('connections were closed: their calls are refused', {
        peer,
        closed: this.refusedCount,
        calls: this.limits.refusedCalls,
      });
      this.toldMs = nowMs;
      this.refusedCount = 0;
    }
  }

  private get limits(): PeerLimits {
    return this.params.limits ?? DEFAULT_PEER_LIMITS;
  }

  private add(socket: Socket): void {
    if (this.params.isOurPort(socket.localPort)) {
      this.connections.add(socket);
    }
  }

  private scheduleLook(): void {
    this.look = this.params.clock.setTimer(LOOK_MS, () => {
      this.closeIdle();
      this.scheduleLook();
    });
  }

  private closeIdle(): void {
    const { clock, logger } = this.params;
    const nowMs = clock.monotonicMs();
    const idle = [...this.connections.list()].filter(
      ({ underWay, idleSinceMs }) => underWay === 0 && nowMs - idleSinceMs > this.limits.idleMs,
    );
    idle.forEach((connection) => this.connections.close(connection));
    if (idle.length > 0) {
      logger.info('connections without a call were closed', { closed: idle.length, idleMs: this.limits.idleMs });
    }
  }
}
