import type { Writable } from 'node:stream';

export interface LineWriterParams {
  /** Where the lines go. It is never closed. */
  stream: Writable;
  /** While more than this waits in the stream, lines are dropped and counted. */
  maxBufferedBytes: number;
  /** What is written of dropped lines when the stream takes some again. */
  describe: (dropped: number, error: string | undefined) => string;
}

/** Writes lines and never waits: who cannot take them loses them, and is told how many. */
export class LineWriter {
  /** Lines not written because their reader had stalled, or because writing them failed. */
  dropped = 0;
  private reported = 0;
  private error: string | undefined;
  private waits = false;
  private reporting = false;

  constructor(private readonly params: LineWriterParams) {
    // A closed pipe (EPIPE) or a full disk (ENOSPC) must not take the process with it.
    params.stream.on('error', () => undefined);
  }

  /** For whom a line need not even be made. */
  get isFull(): boolean {
    const { stream, maxBufferedBytes } = this.params;
    return stream.destroyed || stream.writableLength > maxBufferedBytes;
  }

  drop(): void {
    const { stream } = this.params;
    this.dropped += 1;
    if (!this.waits && !stream.destroyed) {
      this.waits = true;
      // Nobody may have more to say by then, and how many are missing is to be known all the same.
      stream.once('drain', () => {
        this.waits = false;
        this.report();
      });
    }
  }

  write(line: string): void {
    this.report();
    this.send(line);
  }

  private report(): void {
    const missing = this.dropped - this.reported;
    if (missing > 0 && !this.reporting) {
      this.reporting = true;
      this.params.stream.write(`${this.params.describe(missing, this.error)}\n`, (error) => {
        this.reporting = false;
        if (!error) {
          this.reported += missing;
          this.error = undefined;
        }
      });
    }
  }

  private send(line: string): void {
    this.params.stream.write(`${line}\n`, (error) => {
      if (error) {
        this.dropped += 1;
        this.error = 'code' in error ? String(error.code) : error.message;
      }
    });
  }
}
