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
  private gathered: string[] = [];
  private gatheredLength = 0;

  constructor(private readonly params: LineWriterParams) {
    // A closed pipe (EPIPE) or a full disk (ENOSPC) must not take the process with it.
    params.stream.on('error', () => undefined);
  }

  /** For whom a line need not even be made. */
  get isFull(): boolean {
    const { stream, maxBufferedBytes } = this.params;
    return stream.destroyed || stream.writableLength + this.gatheredLength > maxBufferedBytes;
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

  /** Lines that `gather` has taken and that are not on their way yet. */
  get waiting(): number {
    return this.gathered.length;
  }

  write(line: string): void {
    this.flush();
    this.report();
    this.send(`${line}\n`, 1);
  }

  /** Written with all others that come in this turn of the event loop, when it ends or before the next `write`. */
  gather(line: string): void {
    if (this.gathered.push(line) === 1) {
      process.nextTick(() => this.flush());
    }
    this.gatheredLength += line.length;
  }

  /** Sends what was gathered: one call of the system for all of them. */
  flush(): void {
    const lines = this.gathered;
    if (lines.length > 0) {
      this.gathered = [];
      this.gatheredLength = 0;
      this.report();
      lines.push(''); // for the last line end
      this.send(lines.join('\n'), lines.length - 1);
    }
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

  private send(text: string, lines: number): void {
    this.params.stream.write(text, (error) => {
      if (error) {
        this.dropped += lines;
        this.error = 'code' in error ? String(error.code) : error.message;
      }
    });
  }
}
