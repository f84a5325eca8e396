import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';

import { FiledOutput, PipedOutput, type ProgramOutput } from './program-output.js';
import { letPass, waitUntil } from './wait.js';

export const ROOT = resolve(__dirname, '..', '..', '..');

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
  /** It appends its lines here by itself, all of them, also of a long run. Default: a pipe, of which the last lines are kept. */
  logFile?: string;
  /** Words before the program's own, such as `ip netns exec NAME`. They must become the program (exec), not its parent. */
  launcher?: readonly string[];
}

/** One real process, and what it says. */
export class Program {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #output: ProgramOutput;
  #exit: Exit | undefined;

  constructor({ name, file, root = ROOT, args, env = {}, cwd = ROOT, logFile, launcher = [] }: ProgramParams) {
    this.name = name;
    const [program = '', ...words] = [...launcher, process.execPath, join(root, file), ...args];
    this.#output = logFile === undefined ? new PipedOutput() : new FiledOutput(logFile);
    this.#child = spawn(program, words, {
      cwd,
      env: { ...baseEnvironment(), ...env },
      stdio: this.#output.stdio,
      detached: true,
    });
    this.#output.attach(this.#child);
    this.#child.once('exit', (code, signal) => (this.#exit = { code, signal }));
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
    return this.#output.lines().join('\n');
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async ended(withinMs = ENDED_WITHIN_MS): Promise<Exit> {
    try {
      const exit = await waitUntil(`${this.name} ends`, () => this.#exit, { withinMs });
      await Promise.race([this.#output.read(), letPass(READ_WITHIN_MS)]);
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
    return this.#output.lines().slice(-lines).join('\n');
  }
}

/** What a program would find on a machine where nobody configured anything. */
function baseEnvironment(): Record<string, string | undefined> {
  const entries = Object.entries(process.env).filter(([name]) => !/^(ORCHESTRATOR_|npm_|NODE_|JEST_)/.test(name));
  return { ...Object.fromEntries(entries), ORCHESTRATOR_LOG_FORMAT: 'json' };
}
