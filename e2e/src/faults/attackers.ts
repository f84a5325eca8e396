import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export interface Attack {
  port: number;
  connections: number;
  /** What one after the other of them says, from the beginning again. Default: nothing. */
  says?: readonly string[];
}

/** Many connections from one address, all kept open. */
export class Attackers {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #done: Promise<unknown>;

  constructor(attacks: readonly Attack[]) {
    const program = join(__dirname, 'attackers-main.js');
    this.#child = spawn(process.execPath, [program, JSON.stringify(attacks)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#done = once(this.#child.stdout, 'data');
  }

  /** Resolves when all of them have been opened. */
  async opened(): Promise<void> {
    await this.#done;
  }

  async end(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.stdin.end();
    await exit;
  }
}
