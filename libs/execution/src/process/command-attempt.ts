import { type Clock, DEFAULT_FREEZE_LIMIT_MS, type OnLeaseLost } from '@orchestrator/core';

import type { Cgroup } from '../cgroup.js';
import type { AttemptToRun, ExecutorEnd } from '../executor.js';
import { hasProc, readStat, sendSignal } from '../proc.js';
import type { Survivors } from '../survivors.js';
import { AttemptOutput } from './attempt-output.js';
import { type CommandExit, type EndRequest, toEnd, toSpawnErrorEnd } from './command-end.js';
import { drainOutput } from './drain.js';
import type { Freezer } from './freezer.js';
import type { LiveOutput } from './live-output.js';
import type { MarkSweeper } from './mark-sweeper.js';
import { PausableTimer } from './pausable-timer.js';
import type { PipePool } from './pipe-pool.js';
import { type SpawnedCommand, spawnCommand } from './spawn-command.js';
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
  /** Where this can be had: all of it is in there, whatever its mark. */
  cgroup: Cgroup | undefined;
  onSurvivors: (survivors: Survivors) => void;
  onStarted: (pid: number, startedAtWallMs: number) => void;
  /** Called once, unless it was killed before. */
  onEnded: (end: ExecutorEnd) => void;
  /** The machine could not start it: nothing of it has run. Called instead of `onEnded`. */
  onUnable: (detail: string) => void;
}

/**
 * One command, from its start until nothing of it is left.
 *
 * - *running*: until it exits, its timeout passes or it is cancelled.
 * - *terminating* (timeout, cancel): SIGTERM was sent. Over when nothing with its mark is left, or with the grace.
 * - *exited*: its output is drained for a moment; then its group is killed and it is reported. What escaped the group is
 *   swept soon after; of one that was terminated everything is dead before it is reported.
 * - *frozen* (lease lost): everything of it is stopped, its timeout and its grace stand still. Goes on as what it was.
 * - *killed* (also: lease lost): SIGKILL to all of it, nothing is reported.
 */
export class CommandAttempt {
  readonly output: AttemptOutput;
  private spawned: SpawnedCommand | undefined;
  private pid = 0;
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
    const { attempt, clock, live } = this.params;
    this.startedAtMs = clock.monotonicMs();
    this.startedAtWallMs = clock.wallMs();
    try {
      this.spawned = spawnCommand(attempt, {
        ...this.params,
        onData: (stream, chunk) => {
          this.output.append(stream, chunk);
          live.notice(this.output, this.startedAtMs);
        },
      });
    } catch (error) {
      this.failToStart(error);
      return;
    }
    const { child } = this.spawned;
    child.once('error', (error) => this.failToStart(error));
    this.pid = child.pid ?? 0;
    if (this.pid > 1) {
      this.follow(this.spawned);
    }
  }

  /** One that is frozen, or should be, gets no SIGTERM: it would run on to handle it. */
  cancel(reason: string): void {
    const request: EndRequest = { reason: 'cancelled', message: reason };
    if (this.frozen === undefined && this.params.mayTerminate()) {
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
    if (this.pid <= 1 || this.exit !== undefined || this.endRequest?.reason === 'cancelled') {
      this.killRest();
      return false;
    }
    const { cgroup, freezer, mark } = this.params;
    this.wasFrozen = true;
    this.timer?.pause(overdueMs);
    this.frozen = { sinceUptimeMs, done: freezer.freeze({ mark, leader: this.pid, cgroup }) };
    await this.frozen.done;
    return this.isFrozen;
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
    this.silence();
    this.killGroup();
    await this.gone();
    this.destroyStreams();
  }

  private follow({ child, input }: SpawnedCommand): void {
    const { attempt, onStarted } = this.params;
    onStarted(this.pid, this.startedAtWallMs);
    child.once('exit', (code, signal) => void this.exited({ code, signal }));
    input?.end(attempt.stdin);
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

  /** A zombie has ended by itself: its exit is only not read yet. */
  private get isOver(): boolean {
    return this.pid <= 1 || this.exit !== undefined || readStat(this.pid)?.state === 'Z';
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

  private async exited(exit: CommandExit): Promise<void> {
    const { clock, mark, sweeper } = this.params;
    this.exit = exit;
    this.groupOutlivesLeader = sendSignal(-this.pid, 0);
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
    await drainOutput({
      clock,
      streams: this.spawned?.outputs ?? [],
      progress: () => this.output.bytes,
    });
    if (this.endRequest !== undefined && hasProc) {
      await this.gone();
    } else {
      void this.emptied();
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
        ? readStat(this.pid)?.parent === process.pid
        : this.groupOutlivesLeader && readStat(this.pid) === undefined;
    if (isHeld || !hasProc) {
      sendSignal(-this.pid, 'SIGKILL');
    }
  }

  private report(exit: CommandExit): void {
    if (!this.silenced) {
      const { attempt, clock, onEnded } = this.params;
      this.silence();
      this.destroyStreams();
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
      this.destroyStreams();
      const failure = toSpawnFailure(error, attempt, cwd);
      if (failure.isMachines) {
        onUnable(failure.message);
      } else {
        onEnded(toSpawnErrorEnd(attempt.attemptId, failure, this.startedAtWallMs));
      }
    }
  }

  private silence(): void {
    this.silenced = true;
    this.params.freezer.end(this.params.mark);
    this.timer?.cancel();
    this.params.live.forget(this.output);
  }

  private destroyStreams(): void {
    this.spawned?.input?.destroy();
    this.spawned?.outputs.forEach((stream) => stream.destroy());
  }
}
