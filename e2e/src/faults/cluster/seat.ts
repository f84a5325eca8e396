import { existsSync, readdirSync, readFileSync } from 'node:fs';

import { memoryOf } from '../../harness/processes.js';
import { type Exit, Program, type ProgramParams } from '../../harness/program.js';

/** A program's place in a cluster, which outlives its processes: name, ports, log, and how each process ended. */
export abstract class Seat {
  readonly #programs: Program[] = [];
  readonly #asked = new Set<Program>();
  /** The build of its next process; undefined = this checkout's. See `previousBuild`. */
  build: string | undefined;

  constructor(
    readonly name: string,
    readonly logFile: string,
  ) {}

  abstract launch(): Program;

  get program(): Program {
    const last = this.#programs.at(-1);
    if (last === undefined) {
      throw new Error(`${this.name} was never started`);
    }
    return last;
  }

  get isRunning(): boolean {
    const last = this.#programs.at(-1);
    return last !== undefined && last.exit === undefined;
  }

  get allPids(): number[] {
    return this.#programs.map(({ pid }) => pid);
  }

  /** Of each of its processes, in order; undefined = it runs. */
  get allExits(): (Exit | undefined)[] {
    return this.#programs.map(({ exit }) => exit);
  }

  /** A signal that may end it counts as having asked it to. */
  signal(name: NodeJS.Signals): void {
    if (name !== 'SIGSTOP' && name !== 'SIGCONT') {
      this.#asked.add(this.program);
    }
    this.program.signal(name);
  }

  /** Its end is expected, whoever causes it. */
  expectEnd(): void {
    this.#asked.add(this.program);
  }

  /** SIGKILL, and it is gone. */
  async kill(): Promise<void> {
    if (this.isRunning) {
      this.#asked.add(this.program);
      await this.program.kill();
    }
  }

  unexpectedEnds(): string[] {
    return this.#programs
      .filter((program) => program.exit !== undefined && !this.#asked.has(program))
      .map(({ exit, pid }) => `${this.name} (pid ${pid}) ended by itself: ${JSON.stringify(exit)}`);
  }

  /** Lines that this seat's processes logged at level error. */
  errors(): string[] {
    const text = existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
    return text.split('\n').filter((line) => line.includes('"level":"error"') || /^(Error|\s+at )/.test(line));
  }

  /** Resident memory in MiB and open files of the process that runs now. */
  usage(): { memoryMib: number; files: number } {
    const { pid } = this.program;
    return { memoryMib: memoryOf(pid), files: readdirSync(`/proc/${pid}/fd`).length };
  }

  tail(lines = 15): string {
    return this.#programs.at(-1)?.tail(lines) ?? '';
  }

  async close(): Promise<void> {
    await this.kill();
  }

  protected start(params: Omit<ProgramParams, 'name' | 'logFile'>): Program {
    const build = this.build === undefined ? {} : { root: this.build };
    const program = new Program({ ...params, ...build, name: this.name, logFile: this.logFile });
    this.#programs.push(program);
    return program;
  }
}
