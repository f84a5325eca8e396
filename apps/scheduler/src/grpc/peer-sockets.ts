import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** Node tells here of each connection that a server of this process accepts. */
const ACCEPTED = 'net.server.socket';

/**
 * The TCP connections that workers have to the gRPC port, by the address that a call names as its peer. gRPC gives no way
 * to end a connection whose client answers pings and reads nothing: its streams wait for ever to be written.
 */
export class PeerSockets {
  private readonly byPeer = new Map<string, Socket>();
  private readonly onAccepted = (message: unknown): void => this.add((message as { socket: Socket }).socket);
  private watching = false;

  constructor(private readonly isOurPort: (port: number | undefined) => boolean) {}

  get size(): number {
    return this.byPeer.size;
  }

  start(): void {
    if (!this.watching) {
      this.watching = true;
      subscribe(ACCEPTED, this.onAccepted);
    }
  }

  stop(): void {
    this.watching = false;
    unsubscribe(ACCEPTED, this.onAccepted);
    this.byPeer.clear();
  }

  /** The connection that the peer has now; undefined when it is gone. */
  of(peer: string): Socket | undefined {
    return this.byPeer.get(peer);
  }

  private add(socket: Socket): void {
    if (!this.isOurPort(socket.localPort)) {
      return;
    }
    // As grpc-js names it: without brackets, also for IPv6.
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    this.byPeer.set(peer, socket);
    socket.once('close', () => {
      if (this.byPeer.get(peer) === socket) {
        this.byPeer.delete(peer);
      }
    });
  }
}
