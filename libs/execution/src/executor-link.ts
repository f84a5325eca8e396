import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { type Duplex, PassThrough } from 'node:stream';

import type { Clock, Timer } from '@orchestrator/core';

import { Cgroup } from './cgroup.js';
import { createDeferred } from './deferred.js';
import { ExecutorStartError } from './errors.js';
import { FrameChannel } from './frames.js';
import { EXECUTOR_ROLE, MARK_VARIABLE, toMark } from './mark.js';
import type { Survivors } from './survivors.js';
import { CHANNEL_FD, type ExecutorSetup, type FromExecutor, type ToExecutor } from './wire.js';
import { within } from './within.js';

/** It keeps little, and a small process forks faster: 20 MB less than with Node's own choice. Each thread is moved with it. */
const NODE_OPTIONS = ['--max-semi-space-size=1', '--v8-pool-size=1'];
const START_LIMIT_MS = 10_000;
/** What it had written before it ended is still read for this long. */
const LAST_WORDS_MS = 500;
/** Kept of what it said on its stderr: only a crash says something there. */
const STDERR_CHARS = 2_000;

const PING_EVERY_MS = 500;
/** Unanswered for this many pings: three seconds, counted in this process' own ticks, so that a stop of *it* counts for one. */
const PINGS_UNANSWERED = 6;

export interface ExecutorLinkParams {
  clock: Clock;
  entry: string;
  setup: ExecutorSetup;
  onMessage: (message: FromExecutor) => void;
  /** Called once: it ended or stopped answering. It is dead then, what it ran need not be. */
  onLost: (detail: string) => void;
}

/** One executor process, as its worker sees it. */
export class ExecutorLink {
  readonly pid: number;
  readonly channel: FrameChannel<ToExecutor, FromExecutor>;
  private directory: string | undefined;
  private cgroup: Cgroup | undefined;
  private readonly child: ChildProcess;
  private readonly closed = createDeferred();
  private readonly ready = createDeferred();
  private pinged = 0;
  private answered = 0;
  private stderr = '';
  private over = false;
  private timer: Timer | undefined;

  constructor(private readonly params: ExecutorLinkParams) {
    const { entry, setup } = params;
    this.child = spawn(process.execPath, [...NODE_OPTIONS, entry], {
      // Not where commands run: one of them may remove that, and another executor must still start.
      cwd: '/',
      detached: true,
      env: { ...setup.baseEnvironment, [MARK_VARIABLE]: toMark(setup.owner, EXECUTOR_ROLE) },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    this.pid = this.child.pid ?? 0;
    this.child.stderr?.on('data', (text: Buffer) => {
      this.stderr = (this.stderr + text.toString()).slice(-STDERR_CHARS);
    });
    this.channel = new FrameChannel({
      stream: pipeOf(this.child),
      onMessage: (message) => this.accept(message),
      onClosed: () => this.closed.resolve(),
    });
    this.child.once('error', (error) => void this.lose(`could not be started: ${error.message}`));
    this.child.once('exit', (code, signal) => void this.lose(`ended with ${signal ?? `code ${code}`}`));
    void this.closed.promise.then(() => this.losePipe());
  }

  /** @throws {ExecutorStartError} when it does not answer in time. */
  async start(): Promise<void> {
    const { clock, setup } = this.params;
    this.channel.send({ kind: 'setup', setup });
    const timer = clock.setTimer(START_LIMIT_MS, () => void this.lose('did not answer at its start'));
    try {
      await this.ready.promise;
    } finally {
      timer.cancel();
    }
    this.ping();
  }

  /** Ends it without `onLost`. What it runs must be dead before. */
  async end(): Promise<void> {
    this.over = true;
    this.timer?.cancel();
    this.channel.destroy();
    this.ready.reject(new ExecutorStartError('the executor was ended before it answered'));
    if (this.child.exitCode === null && this.child.signalCode === null && this.pid > 0) {
      const exited = once(this.child, 'exit');
      const timer = this.params.clock.setTimer(LAST_WORDS_MS, () => this.child.kill('SIGKILL'));
      await exited;
      timer.cancel();
    }
  }

  /** It was killed, and its guard, too: what they would have removed. Kills what is still in its cgroup. */
  async removeDirectories(onSurvivors: (survivors: Survivors) => void): Promise<void> {
    await this.cgroup?.end(this.params.clock, onSurvivors);
    if (this.directory !== undefined) {
      try {
        // A mkfifo that the executor had started may still be adding names.
        rmSync(this.directory, { recursive: true, force: true, maxRetries: 3, retryDelay: 20 });
      } catch {
        // A few empty names are left in the directory for temporary files.
      }
    }
  }

  private accept(message: FromExecutor): void {
    if (message.kind === 'ready') {
      this.directory = message.directory;
      this.cgroup = message.cgroup === undefined ? undefined : new Cgroup(message.cgroup);
      this.ready.resolve();
    } else if (message.kind === 'pong') {
      this.answered = message.number;
    } else if (!this.over || message.kind === 'ended') {
      this.params.onMessage(message);
    }
  }

  private ping(): void {
    if (!this.over) {
      this.pinged += 1;
      this.channel.send({ kind: 'ping', number: this.pinged });
      this.timer = this.params.clock.setTimer(PING_EVERY_MS, () => void this.checkAnswer());
    }
  }

  private async checkAnswer(): Promise<void> {
    if (this.pinged - this.answered >= PINGS_UNANSWERED) {
      // It may have answered while this process was stopped.
      await this.channel.quiet();
      if (this.pinged - this.answered >= PINGS_UNANSWERED) {
        return this.lose('did not answer for three seconds');
      }
    }
    this.ping();
  }

  /** Its exit says more, and is about to be heard of. */
  private async losePipe(): Promise<void> {
    await within(this.params.clock, LAST_WORDS_MS, once(this.child, 'exit'));
    await this.lose('closed its pipe');
  }

  private async lose(detail: string): Promise<void> {
    if (this.over) {
      return;
    }
    this.over = true;
    const { clock, onLost } = this.params;
    this.child.kill('SIGKILL');
    // Ends that it had reported are still in the pipe.
    await within(clock, LAST_WORDS_MS, this.closed.promise);
    this.channel.destroy();
    const said = this.stderr === '' ? '' : `: ${this.stderr.trim()}`;
    this.ready.reject(new ExecutorStartError(`the executor ${detail}${said}`));
    onLost(detail + said);
  }
}

/** Without a file handle left there are no pipes: its error tells so, and what is sent is lost. */
function pipeOf(child: ChildProcess): Duplex {
  const stdio = child.stdio as ChildProcess['stdio'] | undefined;
  return (stdio?.[CHANNEL_FD] as Duplex | undefined) ?? new PassThrough().destroy();
}
