import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

import { letPass, waitUntil } from './wait.js';

export const ROOT = resolve(__dirname, '..', '..', '..');

const MAX_LINES = 5_000;
const ENDED_WITHIN_MS = 20_000;
/** What it wrote last is read by then, unless somebody else holds its pipes. */
const READ_WITHIN_MS = 500;

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ProgramParams {
  name: string;
  /** File below `root`, run by this Node. */
  file: string;
  /** A build. Default: this checkout's. */
  root?: string;
  args: readonly string[];
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
  /** Each of its lines is appended here, too: all of them, also of a long run. */
  logFile?: string;
  /** Words before the program's own, such as `ip netns exec NAME`. They must become the program (exec), not its parent. */
  launcher?: readonly string[];
}

/** One real process, its lines kept. */
export class Program {
  readonly name: string;
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #read: Promise<unknown>;
  #exit: Exit | undefined;

  constructor({ name, file, root = ROOT, args, env = {}, cwd = ROOT, logFile, launcher = [] }: ProgramParams) {
    this.name = name;
    const [program = '', ...words] = [...launcher, process.execPath, join(root, file), ...args];
    this.#child = spawn(program, words, {
      cwd,
      env: { ...baseEnvironment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child.once('exit', (code, signal) => (this.#exit = { code, signal }));
    const readers = [this.#child.stdout, this.#child.stderr].flatMap((stream) =>
      stream === null ? [] : [createInterface({ input: stream })],
    );
    for (const reader of readers) {
      reader.on('line', (line) => {
        this.lines.push(line);
        if (logFile !== undefined) {
          appendFileSync(logFile, `${line}\n`);
        }
        this.lines.splice(0, this.lines.length - MAX_LINES);
      });
    }
    this.#read = Promise.all(readers.map((reader) => once(reader, 'close')));
  }

  get pid(): number {
    if (this.#child.pid === undefined) {
      throw new Error(`${this.name} could not be started`);
    }
    return this.#child.pid;
  }

  get exit(): Exit | undefined {
    return this.#exit;
  }

  get output(): string {
    return this.lines.join('\n');
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async ended(withinMs = ENDED_WITHIN_MS): Promise<Exit> {
    try {
      const exit = await waitUntil(`${this.name} ends`, () => this.#exit, { withinMs });
      await Promise.race([this.#read, letPass(READ_WITHIN_MS)]);
      return exit;
    } catch (error) {
      throw new Error(`${this.name} did not end within ${withinMs} ms; its last lines:\n${this.tail()}`, {
        cause: error,
      });
    }
  }

  async kill(): Promise<void> {
    if (this.#exit === undefined) {
      const gone = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await gone;
    }
  }

  tail(lines = 30): string {
    return this.lines.slice(-lines).join('\n');
  }
}

/** What a program would find on a machine where nobody configured anything. */
function baseEnvironment(): Record<string, string | undefined> {
  const entries = Object.entries(process.env).filter(([name]) => !/^(ORCHESTRATOR_|npm_|NODE_|JEST_)/.test(name));
  return { ...Object.fromEntries(entries), ORCHESTRATOR_LOG_FORMAT: 'json' };
}
