import type { Clock, Timer } from '@orchestrator/core';

import type { AttemptToRun, ExecutorEnd } from '../executor.js';
import { hasProc, readStat, sendSignal } from '../proc.js';
import { AttemptOutput } from './attempt-output.js';
import { type CommandExit, type EndRequest, toEnd, toSpawnErrorEnd } from './command-end.js';
import { drainOutput } from './drain.js';
import type { LiveOutput } from './live-output.js';
import { setLongTimer } from './long-timer.js';
import type { MarkSweeper } from './mark-sweeper.js';
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
  live: LiveOutput;
  pipes: PipePool;
  raiseOom: <T>(spawn: () => T) => T;
  onStarted: (pid: number, startedAtWallMs: number) => void;
  /** Called once, unless it was killed before. */
  onEnded: (end: ExecutorEnd) => void;
}

/**
 * One command, from its start until nothing of it is left.
 *
 * - *running*: until it exits, its timeout passes or it is cancelled.
 * - *terminating* (timeout, cancel): SIGTERM was sent. Over when nothing with its mark is left, or with the grace.
 * - *exited*: its output is drained for a moment; then its group is killed and it is reported. What escaped the group is
 *   swept soon after; of one that was terminated everything is dead before it is reported.
 * - *killed* (also: lease lost): SIGKILL to all of it, nothing is reported.
 */
export class CommandAttempt {
  readonly output: AttemptOutput;
  private spawned: SpawnedCommand | undefined;
  private pid = 0;
  private startedAtMs = 0;
  private startedAtWallMs = 0;
  private timeout: Timer | undefined;
  private endRequest: EndRequest | undefined;
  private exit: CommandExit | undefined;
  private silenced = false;

  constructor(private readonly params: CommandAttemptParams) {
    this.output = new AttemptOutput(params.attempt.attemptId, params.attempt.maxOutputBytes);
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

  cancel(reason: string): void {
    this.terminate({ reason: 'cancelled', message: reason });
  }

  /** SIGKILL to the group and to all that carry its mark; resolves when nothing is found any more. Nothing is reported. */
  async kill(): Promise<void> {
    this.silence();
    this.killGroup();
    await this.params.sweeper.kill(this.params.mark);
    this.destroyStreams();
  }

  private follow({ child, input }: SpawnedCommand): void {
    const { attempt, clock, onStarted } = this.params;
    onStarted(this.pid, this.startedAtWallMs);
    child.once('exit', (code, signal) => void this.exited({ code, signal }));
    input?.end(attempt.stdin);
    if (attempt.timeoutMs > 0) {
      const message = `did not end within ${attempt.timeoutMs} ms`;
      this.timeout = setLongTimer(clock, attempt.timeoutMs, () => this.terminate({ reason: 'timeout', message }));
    }
  }

  private terminate(request: EndRequest): void {
    const { attempt, clock, mark, sweeper } = this.params;
    // A zombie has ended by itself: its exit is only not read yet.
    const over = this.pid <= 1 || this.exit !== undefined || readStat(this.pid)?.state === 'Z';
    if (over || this.silenced || this.endRequest !== undefined) {
      return;
    }
    this.endRequest = request;
    this.timeout?.cancel();
    sendSignal(-this.pid, 'SIGTERM');
    sweeper.signal(mark, 'SIGTERM', this.pid);
    this.timeout = setLongTimer(clock, attempt.killGraceMs, () => {
      this.killGroup();
      void sweeper.kill(mark);
    });
  }

  private async exited(exit: CommandExit): Promise<void> {
    const { clock, mark, sweeper } = this.params;
    this.exit = exit;
    if (this.endRequest === undefined) {
      this.timeout?.cancel();
    } else if (!this.silenced) {
      // What it started may use the grace to its end.
      await sweeper.gone(mark);
      this.timeout?.cancel();
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
      await sweeper.kill(mark);
    } else {
      sendSignal(-this.pid, 'SIGKILL');
      sweeper.ended(mark);
    }
    this.report(exit);
  }

  /** Only while its leader lives: later the number may be another group's, and the mark finds what is left. */
  private killGroup(): void {
    if (this.exit === undefined || !hasProc) {
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
        }),
      );
    }
  }

  private failToStart(error: unknown): void {
    if (!this.silenced && this.exit === undefined && this.pid <= 1) {
      const { attempt, cwd, onEnded } = this.params;
      this.silence();
      this.destroyStreams();
      onEnded(toSpawnErrorEnd(attempt.attemptId, toSpawnFailure(error, attempt, cwd), this.startedAtWallMs));
    }
  }

  private silence(): void {
    this.silenced = true;
    this.timeout?.cancel();
    this.params.live.forget(this.output);
  }

  private destroyStreams(): void {
    this.spawned?.input?.destroy();
    this.spawned?.outputs.forEach((stream) => stream.destroy());
  }
}
