import { type Clock, DEFAULT_FREEZE_LIMIT_MS, type OnLeaseLost } from '@orchestrator/core';

import type { Cgroup } from '../cgroup.js';
import { createDeferred } from '../deferred.js';
import type { AttemptToRun, ExecutorEnd } from '../executor.js';
import { hasProc, isRunning, readStat, sendSignal } from '../proc.js';
import type { Survivors } from '../survivors.js';
import { AttemptOutput } from './attempt-output.js';
import { type CommandExit, type EndRequest, toEnd, toSpawnErrorEnd } from './command-end.js';
import type { CommandHelper } from './command-helper.js';
import { drainOutput } from './drain.js';
import type { Freezer } from './freezer.js';
import { openInputFile } from './input-file.js';
import type { LiveOutput } from './live-output.js';
import type { MarkSweeper } from './mark-sweeper.js';
import { PausableTimer } from './pausable-timer.js';
import type { PipePool } from './pipe-pool.js';
import type { CommandEvents, RunningCommand } from './running-command.js';
import { spawnCommand } from './spawn-command.js';
import { toSpawnFailure } from './spawn-failure.js';

export interface CommandAttemptParams {
  attempt: AttemptToRun;
  mark: string;
  cwd: string;
  baseEnvironment: Readonly<Record<string, string>>;
  clock: Clock;
  sweeper: MarkSweeper;
  freezer: Freezer;
  /** No without a lease: a timeout that is due then has to wait for what becomes of the lease. */
  mayTerminate: () => boolean;
  live: LiveOutput;
  pipes: PipePool;
  launch: <T>(spawn: () => T) => T;
  /** Who starts it, if this process need not. */
  takeHelper: () => CommandHelper | undefined;
  /** Where this can be had: all of it is in there, whatever its mark. */
  cgroup: Cgroup | undefined;
  /** Answers whether that can be used again, which it is then. */
  takeBack: (cgroup: Cgroup) => boolean;
  onSurvivors: (survivors: Survivors) => void;
  onStarted: (pid: number, startedAtWallMs: number) => void;
  /** Called once, unless it was killed before. */
  onEnded: (end: ExecutorEnd) => void;
  /** The machine could not start it: nothing of it has run. Called instead of `onEnded`. */
  onUnable: (detail: string) => void;
  /** It had started, and nobody knows how it ended: everything of it is dead. Called instead of `onEnded`. */
  onLost: (detail: string) => void;
}

/**
 * One command, from its start until nothing of it is left.
 *
 * - *starting*: a helper has been asked. What is asked of the attempt meanwhile waits for its start; a kill ends the helper.
 * - *running*: until it exits, its timeout passes or it is cancelled.
 * - *terminating* (timeout, cancel): SIGTERM was sent. Over when nothing with its mark is left, or with the grace.
 * - *exited*: its output is drained for a moment; then its group is killed and it is reported. What escaped the group is
 *   swept soon after; of one that was terminated everything is dead before it is reported.
 * - *frozen* (lease lost): everything of it is stopped, its timeout and its grace stand still. Goes on as what it was.
 * - *killed* (also: lease lost): SIGKILL to all of it, nothing is reported.
 */
export class CommandAttempt {
  readonly output: AttemptOutput;
  private command: RunningCommand | undefined;
  private readonly starting = createDeferred();
  private isStarting = true;
  private pid = 0;
  /** This process or a helper of it. */
  private parent = 0;
  private startedAtMs = 0;
  private startedAtWallMs = 0;
  private timer: PausableTimer | undefined;
  private endRequest: EndRequest | undefined;
  private exit: CommandExit | undefined;
  /** What its leader had left in its group when it ended. */
  private groupOutlivesLeader = false;
  private silenced = false;
  private frozen: { sinceUptimeMs: number; done: Promise<void> } | undefined;
  private wasFrozen = false;

  constructor(private readonly params: CommandAttemptParams) {
    this.output = new AttemptOutput(params.attempt.attemptId, params.attempt.maxOutputBytes);
  }

  get attemptId(): string {
    return this.params.attempt.attemptId;
  }

  get onLeaseLost(): OnLeaseLost {
    return this.params.attempt.onLeaseLost ?? 'kill';
  }

  start(): void {
    const { clock } = this.params;
    this.startedAtMs = clock.monotonicMs();
    this.startedAtWallMs = clock.wallMs();
    try {
      this.command = this.launch();
    } catch (error) {
      this.failToStart(error);
    }
  }

  /** One that is frozen, or should be, gets no SIGTERM: it would run on to handle it. */
  cancel(reason: string): void {
    const request: EndRequest = { reason: 'cancelled', message: reason };
    if (this.isStarting) {
      void this.starting.promise.then(() => this.cancel(reason));
    } else if (this.frozen === undefined && this.params.mayTerminate()) {
      this.terminate(request);
    } else if (!this.isOver) {
      this.endRequest = request;
      this.killRest();
    }
  }

  /**
   * Stops everything of it; resolves then. Answers false when there is nothing to go on with: one that was cancelled, or
   * whose command has ended, is killed instead and ends as usual.
   */
  async freeze(sinceUptimeMs: number, overdueMs: number): Promise<boolean> {
    const hasNotStarted = this.pid <= 1 && !this.isStarting;
    if (hasNotStarted || this.exit !== undefined || this.endRequest?.reason === 'cancelled') {
      this.killRest();
      return false;
    }
    this.wasFrozen = true;
    this.timer?.pause(overdueMs);
    this.frozen = { sinceUptimeMs, done: this.isStarting ? this.freezeOnceStarted() : this.stopAll() };
    await this.frozen.done;
    return this.isFrozen;
  }

  private async freezeOnceStarted(): Promise<void> {
    await this.starting.promise;
    if (this.pid > 1 && this.isFrozen) {
      this.timer?.pause(0);
      await this.stopAll();
    }
  }

  private stopAll(): Promise<void> {
    const { cgroup, freezer, mark } = this.params;
    return freezer.freeze({ mark, leader: this.pid, cgroup });
  }

  /** Frozen for longer than it may be. */
  isFrozenTooLong(uptimeMs: number): boolean {
    const limitMs = this.params.attempt.freezeLimitMs ?? DEFAULT_FREEZE_LIMIT_MS;
    return this.isFrozen && uptimeMs - (this.frozen?.sinceUptimeMs ?? uptimeMs) >= limitMs;
  }

  get isFrozen(): boolean {
    return this.frozen !== undefined && !this.silenced && this.exit === undefined;
  }

  /** Goes on if it was frozen by then and `may` says so, which is asked before each signal. Answers whether it does. */
  async thaw(sentAtUptimeMs: number, may: () => boolean): Promise<boolean> {
    await this.frozen?.done;
    const { freezer, mark } = this.params;
    const confirmed = this.frozen !== undefined && sentAtUptimeMs >= this.frozen.sinceUptimeMs;
    if (!confirmed || !this.isFrozen || this.endRequest?.reason === 'cancelled' || !freezer.thaw(mark, may)) {
      return false;
    }
    this.frozen = undefined;
    this.timer?.resume();
    return true;
  }

  /** SIGKILL to the group and to all that carry its mark; resolves when nothing is found any more. Nothing is reported. */
  async kill(): Promise<void> {
    const { isStarting } = this;
    this.silence();
    this.killGroup();
    if (isStarting) {
      await this.command?.abort?.();
    }
    await this.gone();
    this.command?.destroy();
  }

  private launch(): RunningCommand {
    const { attempt, cgroup, clock, cwd, live, mark, pipes, takeHelper } = this.params;
    const events: CommandEvents = {
      onData: (stream, chunk) => {
        this.output.append(stream, chunk);
        live.notice(this.output, this.startedAtMs);
      },
      onStarted: (pid, parent) => this.follow(pid, parent),
      onFailed: (error) => this.failToStart(error),
      onExit: (exit, groupLives) => void this.exited(exit, groupLives),
      onLost: (detail) => void this.lose(detail),
    };
    const stdin = attempt.stdin === undefined ? undefined : openInputFile(pipes.directory, attempt.stdin);
    const helper = attempt.stdin === undefined || stdin !== undefined ? takeHelper() : undefined;
    return helper === undefined
      ? spawnCommand(attempt, { ...this.params, ...events, stdin })
      : helper.start({ attempt, mark, cwd, cgroup }, stdin, clock.monotonicMs(), events);
  }

  private follow(pid: number, parent: number): void {
    const { attempt, onStarted } = this.params;
    if (this.silenced) {
      return;
    }
    this.pid = pid;
    this.parent = parent;
    this.endStarting();
    onStarted(pid, this.startedAtWallMs);
    if (attempt.timeoutMs > 0) {
      const message = `did not end within ${attempt.timeoutMs} ms`;
      this.setTimer(attempt.timeoutMs, () => this.terminate({ reason: 'timeout', message }));
    }
  }

  private terminate(request: EndRequest): void {
    const { attempt, mark, sweeper } = this.params;
    if (this.isOver || this.silenced || this.endRequest !== undefined) {
      return;
    }
    this.endRequest = request;
    this.timer?.cancel();
    sendSignal(-this.pid, 'SIGTERM');
    sweeper.signal(mark, 'SIGTERM', this.pid);
    this.setTimer(attempt.killGraceMs, () => this.killRest());
  }

  /** A zombie has ended by itself: its exit is only not read yet. One that a helper has reaped is somebody else by now. */
  private get isOver(): boolean {
    if (this.pid <= 1 || this.exit !== undefined) {
      return true;
    }
    return this.parent === process.pid ? readStat(this.pid)?.state === 'Z' : !isRunning(this.pid, this.parent);
  }

  private setTimer(delayMs: number, fn: () => void): void {
    const { clock, mayTerminate } = this.params;
    this.timer?.cancel();
    this.timer = new PausableTimer({ clock, delayMs, mayFire: mayTerminate, fn });
  }

  private killRest(): void {
    this.killGroup();
    void this.gone();
  }

  /** SIGKILL to all that is found of it; resolves when nothing is any more. */
  private async gone(): Promise<void> {
    await Promise.all([this.params.sweeper.kill(this.params.mark), this.emptied()]);
  }

  private async emptied(): Promise<void> {
    const { cgroup, clock, onSurvivors } = this.params;
    await cgroup?.end(clock, onSurvivors);
  }

  private async exited(exit: CommandExit, groupLives: boolean): Promise<void> {
    const { clock, mark, sweeper } = this.params;
    this.exit = exit;
    this.groupOutlivesLeader = groupLives;
    if (this.frozen !== undefined) {
      this.killRest();
    }
    this.params.freezer.end(mark);
    if (this.endRequest === undefined) {
      this.timer?.cancel();
    } else if (!this.silenced) {
      // What it started may use the grace to its end.
      await sweeper.gone(mark);
      this.timer?.cancel();
    }
    if (this.silenced) {
      return;
    }
    const streams = this.command?.outputs ?? [];
    if (streams.length > 0) {
      await drainOutput({ clock, streams, progress: () => this.output.bytes });
    }
    if (this.endRequest !== undefined && hasProc) {
      await this.gone();
    } else {
      const { cgroup, takeBack } = this.params;
      if (cgroup === undefined || !takeBack(cgroup)) {
        void this.emptied();
      }
      this.killGroup();
      sweeper.ended(mark);
    }
    this.report(exit);
  }

  /**
   * The number is the group's as long as its leader was not reaped or another member lives, and may be anybody's after
   * that. What left the group is found by its mark.
   */
  private killGroup(): void {
    this.params.cgroup?.kill();
    const isHeld =
      this.exit === undefined
        ? this.pid > 1 && readStat(this.pid)?.parent === this.parent
        : this.groupOutlivesLeader && readStat(this.pid) === undefined;
    if (isHeld || !hasProc) {
      sendSignal(-this.pid, 'SIGKILL');
    }
  }

  private report(exit: CommandExit): void {
    if (!this.silenced) {
      const { attempt, clock, onEnded } = this.params;
      this.silence();
      this.command?.destroy();
      onEnded(
        toEnd({
          attemptId: attempt.attemptId,
          exit,
          endRequest: this.endRequest,
          startedAtWallMs: this.startedAtWallMs,
          durationMs: clock.monotonicMs() - this.startedAtMs,
          output: this.output,
          wasFrozen: this.wasFrozen,
        }),
      );
    }
  }

  private failToStart(error: unknown): void {
    if (!this.silenced && this.exit === undefined && this.pid <= 1) {
      const { attempt, cwd, onEnded, onUnable } = this.params;
      this.silence();
      void this.emptied();
      this.command?.destroy();
      const failure = toSpawnFailure(error, attempt, cwd);
      if (failure.isMachines) {
        onUnable(failure.message);
      } else {
        onEnded(toSpawnErrorEnd(attempt.attemptId, failure, this.startedAtWallMs));
      }
    }
  }

  private async lose(detail: string): Promise<void> {
    if (!this.silenced && this.exit === undefined) {
      await this.kill();
      this.params.onLost(detail);
    }
  }

  private endStarting(): void {
    this.isStarting = false;
    this.starting.resolve();
  }

  private silence(): void {
    this.silenced = true;
    this.endStarting();
    this.params.freezer.end(this.params.mark);
    this.timer?.cancel();
    this.params.live.forget(this.output);
  }
}
