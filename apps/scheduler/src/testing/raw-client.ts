import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';

import { systemClock } from '@orchestrator/core';

/** A client that says what a test writes, byte for byte. Each address of 127.0.0.0/8 is another client. */
export interface RawClient {
  socket: Socket;
  /** All that it was sent. */
  text(): string;
  isOpen(): boolean;
  /** Resolves with all that it was sent. */
  closed: Promise<string>;
}

export function rawClient(port: number, options: { from?: string; says?: string | Buffer } = {}): RawClient {
  const chunks: Buffer[] = [];
  const socket = connect({ port, host: '127.0.0.1', localAddress: options.from ?? '127.0.0.1' });
  let open = true;
  const text = (): string => Buffer.concat(chunks).toString();
  const closed = new Promise<string>((resolve) => {
    socket.once('close', () => {
      open = false;
      resolve(text());
    });
  });
  socket.on('error', () => undefined).on('data', (chunk) => chunks.push(chunk));
  if (options.says !== undefined) {
    socket.write(options.says);
  }
  return { socket, text, isOpen: () => open && !socket.destroyed, closed };
}

/** Asks one thing after the other on one connection, as a program does that is left in peace. */
export class Neighbour {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;
  readonly #going: Promise<void>;
  #stopped = false;
  #answers = 0;
  #slowestMs = 0;
  readonly #troubles: string[] = [];

  constructor(url: string) {
    this.#url = url;
    this.#going = this.#ask();
  }

  /** Ends it. */
  async stop(): Promise<{ answers: number; slowestMs: number; troubles: string[] }> {
    this.#stopped = true;
    await this.#going;
    this.#agent.destroy();
    return { answers: this.#answers, slowestMs: this.#slowestMs, troubles: this.#troubles };
  }

  async #ask(): Promise<void> {
    while (!this.#stopped) {
      const sinceMs = systemClock.monotonicMs();
      const status = await this.#once().catch((error: unknown) => String(error));
      this.#slowestMs = Math.max(this.#slowestMs, systemClock.monotonicMs() - sinceMs);
      if (status === 200) {
        this.#answers += 1;
      } else {
        this.#troubles.push(String(status));
      }
      await new Promise<void>((resolve) => systemClock.setTimer(5, resolve));
    }
  }

  #once(): Promise<number> {
    return new Promise((resolve, reject) => {
      request(`${this.#url}/api/v1/workers`, { agent: this.#agent }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      })
        .on('error', reject)
        .end();
    });
  }
}
