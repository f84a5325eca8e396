import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Of one direction. `drop`: swallowed in silence (half a partition). `hold`: nothing is read, and nothing lost. */
export type Flow =
  | { mode: 'pass' }
  | { mode: 'drop' }
  | { mode: 'hold' }
  | { mode: 'delay'; ms: number }
  | { mode: 'rate'; bytesPerSecond: number };

export type Direction = 'up' | 'down';

interface Pipe {
  from: Socket;
  to: Socket;
  direction: Direction;
  /** Pieces are handed on in order: each after the one before. */
  tail: Promise<void>;
}

const PIECES_PER_SECOND = 20;

/**
 * One hop, as a TCP proxy on a loopback port: `up` is from the client to the server. It can be told at any moment what
 * to do with each direction, also of connections that are open.
 */
export class Link {
  readonly #server: Server;
  readonly #pipes = new Set<Pipe>();
  readonly #flows: Record<Direction, Flow> = { up: { mode: 'pass' }, down: { mode: 'pass' } };
  readonly #released: Record<Direction, Released> = { up: released(), down: released() };
  #trap: { text: string; sprung: () => void } | undefined;
  #refuses = false;

  private constructor(
    readonly name: string,
    targetHost: string,
    targetPort: number,
  ) {
    this.#server = createServer({ allowHalfOpen: false, pauseOnConnect: true }, (client) => {
      client.on('error', () => undefined);
      if (this.#refuses) {
        client.resetAndDestroy();
        return;
      }
      const server = connect(targetPort, targetHost);
      server.on('error', () => client.resetAndDestroy());
      this.#pump(client, server, 'up');
      this.#pump(server, client, 'down');
    });
  }

  static async open(name: string, targetPort: number, targetHost = '127.0.0.1'): Promise<Link> {
    const link = new Link(name, targetHost, targetPort);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** What is to happen from now on. */
  set(flow: Flow, directions: readonly Direction[] = ['up', 'down']): void {
    for (const direction of directions) {
      this.#flows[direction] = flow;
      if (flow.mode !== 'hold') {
        this.#released[direction].now();
        this.#released[direction] = released();
      }
      for (const pipe of this.#pipes) {
        if (pipe.direction === direction) {
          this.#resume(pipe);
        }
      }
    }
  }

  /** Holds `up` at the moment at which the client sends this text, before the server has any of it, and says so. */
  trap(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#trap = { text, sprung: resolve };
    });
  }

  /** Resets what is open. With `refuse`, also whatever comes, until `heal`. */
  cut({ refuse = false }: { refuse?: boolean } = {}): void {
    this.#refuses = refuse;
    for (const { from } of this.#pipes) {
      from.resetAndDestroy();
    }
  }

  /** Passes everything. What was swallowed is missing from connections that stayed open: those are cut. */
  heal(): void {
    const lossy = Object.values(this.#flows).some(({ mode }) => mode === 'drop');
    this.#refuses = false;
    this.set({ mode: 'pass' });
    if (lossy) {
      this.cut();
    }
  }

  async close(): Promise<void> {
    this.set({ mode: 'pass' });
    this.cut({ refuse: true });
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pump(from: Socket, to: Socket, direction: Direction): void {
    const pipe: Pipe = { from, to, direction, tail: Promise.resolve() };
    this.#pipes.add(pipe);
    from.on('error', () => undefined);
    from.on('data', (data: Buffer) => this.#take(pipe, data));
    from.on('close', () => {
      this.#pipes.delete(pipe);
      // What was on its way still arrives; a partition also swallows the end of a connection.
      void pipe.tail.then(() => {
        if (this.#flows[direction].mode !== 'drop') {
          to.destroy();
        }
      });
    });
    to.on('drain', () => this.#resume(pipe));
    this.#resume(pipe);
  }

  #take(pipe: Pipe, data: Buffer): void {
    if (pipe.direction === 'up' && this.#trap !== undefined && data.includes(this.#trap.text)) {
      this.set({ mode: 'hold' }, ['up']);
      this.#trap.sprung();
      this.#trap = undefined;
    }
    const flow = this.#flows[pipe.direction];
    if (flow.mode === 'drop') {
      return;
    }
    if (flow.mode === 'pass') {
      pipe.tail = pipe.tail.then(() => this.#write(pipe, data));
    } else if (flow.mode === 'hold') {
      const { promise } = this.#released[pipe.direction];
      pipe.tail = pipe.tail.then(() => promise).then(() => this.#write(pipe, data));
    } else if (flow.mode === 'delay') {
      const due = after(flow.ms);
      pipe.tail = pipe.tail.then(() => due).then(() => this.#write(pipe, data));
    } else {
      pipe.from.pause();
      pipe.tail = pipe.tail.then(() => this.#trickle(pipe, data, flow.bytesPerSecond)).then(() => this.#resume(pipe));
    }
  }

  async #trickle(pipe: Pipe, data: Buffer, bytesPerSecond: number): Promise<void> {
    const size = Math.max(1, Math.floor(bytesPerSecond / PIECES_PER_SECOND));
    for (let offset = 0; offset < data.length && !pipe.to.destroyed; offset += size) {
      this.#write(pipe, data.subarray(offset, offset + size));
      await after(1_000 / PIECES_PER_SECOND);
    }
  }

  #write(pipe: Pipe, data: Buffer): void {
    if (!pipe.to.destroyed && !pipe.to.write(data)) {
      pipe.from.pause();
    }
  }

  #resume(pipe: Pipe): void {
    if (this.#flows[pipe.direction].mode === 'hold') {
      pipe.from.pause();
    } else if (!pipe.to.writableNeedDrain) {
      pipe.from.resume();
    }
  }
}

interface Released {
  promise: Promise<void>;
  now: () => void;
}

function released(): Released {
  let now = (): void => undefined;
  const promise = new Promise<void>((resolve) => (now = resolve));
  return { promise, now };
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
