import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { cpuUsOf } from '../cpu.js';
import type { Answer, Question } from './serve.js';

const ENDED_WITHIN_MS = 10_000;

/** A process of the bench: a peer, or who makes the load. Each has an event loop, a heap and a CPU account of its own. */
export class Helper {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #count = 0;

  /** `file` is below `dist`, without its ending. */
  constructor(file: string, args: readonly string[] = []) {
    this.#child = fork(join(__dirname, '..', `${file}.js`), [...args], { serialization: 'advanced' });
    this.#child.on('message', (answer: Answer) => this.#accept(answer));
    this.#child.once('exit', (code, signal) => {
      this.#open.forEach(({ reject }) => reject(new Error(`${file} ended with ${code ?? signal} before it answered`)));
      this.#open.clear();
    });
  }

  ask<T>(op: string, params: unknown = {}): Promise<T> {
    const id = (this.#count += 1);
    return new Promise<T>((resolve, reject) => {
      this.#open.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.send({ id, op, params } satisfies Question);
    });
  }

  cpuUs(): number {
    return cpuUsOf(this.#child.pid === undefined ? [] : [this.#child.pid]);
  }

  /** It ends when its channel does; who does not is killed, and that is an error. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      return;
    }
    const ended = once(this.#child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), ENDED_WITHIN_MS);
    this.#child.disconnect();
    const [code, signal] = await ended;
    clearTimeout(timer);
    if (code !== 0) {
      throw new Error(`a process of the bench ended with ${code ?? signal}`);
    }
  }

  #accept({ id, error, value }: Answer): void {
    const waiting = this.#open.get(id);
    this.#open.delete(id);
    if (error === undefined) {
      waiting?.resolve(value);
    } else {
      waiting?.reject(new Error(error));
    }
  }
}

/** Ends it, whatever happens. */
export async function withHelper<T>(helper: Helper, work: (helper: Helper) => Promise<T>): Promise<T> {
  try {
    return await work(helper);
  } finally {
    await helper.close();
  }
}
