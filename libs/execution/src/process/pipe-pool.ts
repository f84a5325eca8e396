import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, constants, existsSync, mkdirSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Clock } from '@orchestrator/core';

import { createDeferred, type Deferred } from '../deferred.js';
import { DEFAULT_PATH } from '../environment.js';

const BATCH = 96;
const LOW = 32;
const PAUSE_MS = 1_000;
const READ_NOW = constants.O_RDONLY | constants.O_NONBLOCK;

export interface PipeEnds {
  /** Ours, non-blocking. */
  own: number;
  /** The command's: to be closed here once it was started. */
  theirs: number;
}

/**
 * Real pipes for commands. What Node calls a pipe to a child is a socket, and a socket cannot be opened by name: under
 * it `echo x >/dev/stderr` fails with ENXIO. Node cannot make a pipe, but it can open a named one
 * twice and remove the name, so names are made in advance, many with one `mkfifo`.
 */
export class PipePool {
  readonly directory = join(tmpdir(), `orchestrator-pipes-${randomUUID()}`);
  private names: string[] = [];
  private made = 0;
  private filling: Deferred<void> | undefined;
  private pausedUntilMs = -Infinity;

  constructor(private readonly clock: Clock) {}

  /** Resolves when so many can be taken, or cannot be made now. */
  async reserve(count: number): Promise<void> {
    if (this.names.length > 0 && !existsSync(this.names.at(-1) ?? '')) {
      // Somebody has tidied up.
      this.names = [];
    }
    while (this.usable && this.names.length < count) {
      await this.fill();
    }
    if (this.usable && this.names.length < LOW) {
      void this.fill();
    }
  }

  /** A pipe that a command writes into. None when there are none: then Node's own will do. */
  openOutput(): PipeEnds | undefined {
    return this.take((open) => ({ own: open(READ_NOW), theirs: open(constants.O_WRONLY) }));
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private take(openEnds: (open: (flags: number) => number) => PipeEnds): PipeEnds | undefined {
    const name = this.names.pop();
    if (name === undefined) {
      return undefined;
    }
    const opened: number[] = [];
    const open = (flags: number): number => {
      const end = openSync(name, flags);
      opened.push(end);
      return end;
    };
    try {
      const ends = openEnds(open);
      unlinkSync(name);
      return ends;
    } catch {
      // Too many files are open, or it is gone.
      opened.forEach((end) => closeSync(end));
      if (existsSync(name)) {
        this.names.push(name);
      }
      return undefined;
    }
  }

  /** Where none could be made (a full disk, no process left) commands get sockets for a while. */
  private get usable(): boolean {
    return this.clock.monotonicMs() >= this.pausedUntilMs;
  }

  private fill(): Promise<void> {
    const filling = this.filling ?? this.make();
    return filling.promise;
  }

  private make(): Deferred<void> {
    const filling = createDeferred();
    this.filling = filling;
    const names = Array.from({ length: BATCH }, () => join(this.directory, String((this.made += 1))));
    const done = (ok: boolean): void => {
      if (ok) {
        this.names.push(...names);
      } else {
        this.pausedUntilMs = this.clock.monotonicMs() + PAUSE_MS;
      }
      this.filling = undefined;
      filling.resolve();
    };
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    } catch {
      done(false);
      return filling;
    }
    const child = spawn('mkfifo', ['-m', '600', ...names], { stdio: 'ignore', env: { PATH: DEFAULT_PATH } });
    child.once('error', () => done(false));
    child.once('exit', (code) => done(code === 0));
    return filling;
  }
}
