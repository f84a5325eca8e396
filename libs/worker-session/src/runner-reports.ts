import type { ExecutorEnd, ExecutorOutput } from '@orchestrator/execution';
import type { Clock, ReturnReason } from '@orchestrator/core';
import type { OutputChunk } from '@orchestrator/proto-types';
import type { Logger } from '@orchestrator/telemetry';

import { attemptFields, type AttemptFlow } from './attempt-flow.js';
import { type Attempt, type AttemptState, isWithRunner } from './attempts.js';
import type { OutputSender } from './output-sender.js';
import type { RunnerEvents } from './runner.js';
import type { ServiceTime } from './service-time.js';
import { toFinished } from './to-proto.js';

export interface RunnerReportsParams {
  flow: AttemptFlow;
  output: OutputSender;
  serviceTime: ServiceTime;
  clock: Clock;
  logger: Logger;
}

/** What the runner tells of attempts, made into reports. What is not ours any more is not reported. */
export class RunnerReports implements RunnerEvents {
  constructor(private readonly params: RunnerReportsParams) {}

  started(attemptId: string, pid: number): void {
    const attempt = this.ours(attemptId);
    if (attempt !== undefined) {
      this.params.flow.started(attempt);
      if (this.params.logger.isDebug !== false) {
        this.params.logger.debug('attempt started', { ...attemptFields(attempt), name: attempt.spec.name, pid });
      }
    }
  }

  output(chunk: ExecutorOutput): void {
    const attempt = this.ours(chunk.attemptId);
    if (attempt !== undefined) {
      this.params.output.add(attempt.ref, chunk);
    }
  }

  ended(ended: ExecutorEnd): void {
    const attempt = this.ours(ended.attemptId);
    if (attempt === undefined) {
      return;
    }
    const { flow, output, serviceTime, clock } = this.params;
    if (ended.wasFrozen !== true) {
      serviceTime.add(ended.durationMs, clock.monotonicMs(), flow.unstarted > 0);
    }
    this.log(attempt, ended);
    const report = toFinished(attempt.ref, attempt.number, ended);
    const keep = (chunks: OutputChunk[], complete: boolean): void => {
      if (flow.attempts.get(attempt.ref.attemptId) === attempt) {
        report.output = chunks;
        report.truncated ||= !complete;
        flow.keepFinished(attempt, report);
      }
    };
    flow.ended(attempt);
    const inline = output.finish(attempt.ref, ended.output, (complete) => keep([], complete));
    if (inline !== undefined) {
      keep(inline, true);
    }
  }

  unstarted(attemptIds: readonly string[], detail: string): void {
    this.params.logger.debug('attempts could not be started on this machine', { attempts: attemptIds.length, detail });
    this.lost(attemptIds, 'unstarted', false);
  }

  leaseLost(attemptIds: readonly string[]): void {
    this.lost(attemptIds, 'lease_lost');
  }

  frozen(attemptIds: readonly string[]): void {
    for (const attempt of this.move(attemptIds, 'running', 'frozen')) {
      this.params.logger.warn('attempt frozen at the end of the lease', attemptFields(attempt));
    }
  }

  thawed(attemptIds: readonly string[]): void {
    for (const attempt of this.move(attemptIds, 'frozen', 'running')) {
      this.params.logger.info('attempt goes on: it is still ours', attemptFields(attempt));
    }
  }

  freezeLimitReached(attemptIds: readonly string[]): void {
    this.lost(attemptIds, 'freeze_limit');
  }

  executorLost(attemptIds: readonly string[], detail: string): void {
    this.params.logger.debug('attempts are lost with what ran them', { attempts: attemptIds.length, detail });
    const { attempts } = this.params.flow;
    const stoodBy = attemptIds.filter(
      (id) => attempts.get(id)?.standby === true && attempts.get(id)?.state === 'queued',
    );
    this.lost(stoodBy, 'unstarted', false);
    this.lost(attemptIds, 'executor_lost');
  }

  private lost(attemptIds: readonly string[], reason: ReturnReason, started = true): void {
    for (const id of attemptIds) {
      const attempt = this.params.flow.attempts.get(id);
      // One that is being handed back anyway keeps its own reason.
      if (attempt !== undefined && isWithRunner(attempt)) {
        this.params.flow.keepReturned(attempt, reason, started);
      }
    }
  }

  /** An attempt that is being killed may have ended just before: that end is as good as any. */
  private ours(attemptId: string): Attempt | undefined {
    const attempt = this.params.flow.attempts.get(attemptId);
    return attempt !== undefined && (isWithRunner(attempt) || attempt.state === 'returning') ? attempt : undefined;
  }

  private move(attemptIds: readonly string[], from: AttemptState, to: AttemptState): Attempt[] {
    const { attempts } = this.params.flow;
    const moved = attemptIds.flatMap((id) => attempts.get(id) ?? []).filter((attempt) => attempt.state === from);
    moved.forEach((attempt) => attempts.move(attempt, to));
    return moved;
  }

  private log(attempt: Attempt, { outcome, end, durationMs }: ExecutorEnd): void {
    // What went well is the scheduler's to keep; at thousands a second a line for each would cost more than the jobs.
    const level = outcome === 'succeeded' ? 'debug' : 'info';
    if (level === 'debug' && this.params.logger.isDebug === false) {
      return;
    }
    this.params.logger[level]('attempt ended', {
      ...attemptFields(attempt),
      name: attempt.spec.name,
      outcome,
      exitCode: end.exitCode,
      signal: end.signal,
      reason: end.failure?.reason,
      durationMs: Math.round(durationMs),
    });
  }
}

/** Events for a target that is made after the runner. `onFrozen` follows each `frozen`. */
export function forwardedTo(target: () => RunnerEvents, onFrozen: () => void): RunnerEvents {
  return {
    started: (attemptId, pid, startedAtWallMs) => target().started(attemptId, pid, startedAtWallMs),
    output: (chunk) => target().output(chunk),
    ended: (ended) => target().ended(ended),
    unstarted: (attemptIds, detail) => target().unstarted(attemptIds, detail),
    leaseLost: (attemptIds) => target().leaseLost(attemptIds),
    frozen: (attemptIds) => {
      target().frozen?.(attemptIds);
      onFrozen();
    },
    thawed: (attemptIds) => target().thawed?.(attemptIds),
    freezeLimitReached: (attemptIds) => target().freezeLimitReached?.(attemptIds),
    executorLost: (attemptIds, detail) => target().executorLost(attemptIds, detail),
  };
}
