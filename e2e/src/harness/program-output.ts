import type { ChildProcess, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Of a long run the last ones are kept, or read. */
const MAX_LINES = 5_000;
const MAX_BYTES = 4 * 1024 * 1024;

/** What a program says, on stdout and stderr. */
export interface ProgramOutput {
  /** For `spawn`. */
  readonly stdio: StdioOptions;
  /** Once it is spawned. */
  attach(child: ChildProcess): void;
  /** The last ones. */
  lines(): string[];
  /** All that an ended program wrote can be read. */
  read(): Promise<unknown>;
}

/** Read line by line as it comes. */
export class PipedOutput implements ProgramOutput {
  readonly stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
  readonly #lines: string[] = [];
  #read: Promise<unknown> = Promise.resolve();

  attach({ stdout, stderr }: ChildProcess): void {
    const readers = [stdout, stderr].flatMap((stream) => (stream === null ? [] : [createInterface({ input: stream })]));
    for (const reader of readers) {
      reader.on('line', (line) => {
        this.#lines.push(line);
        this.#lines.splice(0, this.#lines.length - MAX_LINES);
      });
    }
    this.#read = Promise.all(readers.map((reader) => once(reader, 'close')));
  }

  lines(): string[] {
    return [...this.#lines];
  }

  read(): Promise<unknown> {
    return this.#read;
  }
}

/**
 * Appended by the program itself to a file, as that of a service is: who watches takes no time of the cores on which
 * the program is measured. Read when somebody asks; what later programs append to the same file is read as well.
 */
export class FiledOutput implements ProgramOutput {
  readonly stdio: StdioOptions;
  readonly #path: string;
  readonly #file: number;
  /** What others wrote before it. */
  readonly #from: number;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, 'a', 0o600);
    this.#from = fstatSync(this.#file).size;
    this.stdio = ['ignore', this.#file, this.#file];
  }

  /** The child has the file now. */
  attach(): void {
    closeSync(this.#file);
  }

  lines(): string[] {
    const file = openSync(this.#path, 'r');
    try {
      const { size } = fstatSync(file);
      const bytes = Buffer.alloc(Math.min(size - this.#from, MAX_BYTES));
      readSync(file, bytes, 0, bytes.length, size - bytes.length);
      const lines = bytes.toString('utf8').split('\n');
      return lines.filter((line) => line !== '').slice(-MAX_LINES);
    } finally {
      closeSync(file);
    }
  }

  async read(): Promise<void> {
    // What it wrote is in the file.
  }
}
