import type { Clock, ReturnReason, Timer } from '@orchestrator/core';
import type { AttemptRef, FinishedAttempt } from '@orchestrator/proto-types';
import type { Logger } from '@orchestrator/telemetry';

import { type Attempt, Attempts, isWithRunner, type NewAttempt } from './attempts.js';
import type { KeptReports } from './kept-reports.js';
import type { Lease } from './lease.js';
import type { OutputSender } from './output-sender.js';
import type { AttemptRunner } from './runner.js';
import { toReturnReason } from './to-proto.js';

/** What has not started this long after it arrived is given back to its old place. */
export const UNSTARTED_AFTER_MS = 100;

export interface AttemptFlowParams {
  slots: number;
  clock: Clock;
  lease: Lease;
  runner: AttemptRunner;
  reports: KeptReports;
  output: OutputSender;
  logger: Logger;
  /** Slots, reports or what is held changed. */
  onChange(): void;
}

/** The moves of an attempt between its states, each with all that belongs to it. Knows nothing of links. */
export class AttemptFlow {
  readonly attempts = new Attempts();
  private unstartedTimer: Timer | undefined;
  private closed = false;

  constructor(private readonly params: AttemptFlowParams) {}

  get freeSlots(): number {
    return Math.max(0, this.params.slots - this.attempts.busySlots);
  }

  /** Something has not come to its end yet. */
  get isBusy(): boolean {
    return this.attempts.countOf('waiting', 'running', 'frozen', 'flushing', 'returning', 'closing') > 0;
  }

  /** Takes over what was assigned, in its order; starts what has a slot. */
  add(assigned: readonly NewAttempt[]): void {
    for (const attempt of assigned) {
      if (this.attempts.get(attempt.ref.attemptId) === undefined) {
        this.attempts.add(attempt);
      }
    }
    this.startWaiting();
    this.giveBackUnstarted();
    this.params.onChange();
  }

  /** A slot became free, or the lease good again. */
  startWaiting(): void {
    if (this.closed || this.freeSlots === 0 || !this.params.lease.valid) {
      return;
    }
    for (const attempt of this.attempts.in('waiting').slice(0, this.freeSlots)) {
      this.attempts.move(attempt, 'running');
      this.attempts.holdSlot(attempt, true);
      attempt.startedAtMs = this.params.clock.monotonicMs();
      this.params.output.open(attempt.ref);
      this.params.runner.run(attempt);
    }
  }

  keepFinished(attempt: Attempt, report: FinishedAttempt): void {
    this.attempts.move(attempt, 'finished');
    this.params.reports.keepFinished(report);
    this.params.onChange();
  }

  keepReturned(attempt: Attempt, reason: ReturnReason, started: boolean): void {
    this.params.logger.info('attempt returned', { ...attemptFields(attempt), reason });
    this.params.output.drop(attempt.ref.attemptId);
    this.attempts.move(attempt, 'returned');
    this.params.reports.keepReturned({ attempt: attempt.ref, reason: toReturnReason(reason), started });
    this.params.onChange();
  }

  /** Its report is durable, or nobody wants it. */
  forget(ref: AttemptRef): void {
    this.params.reports.forget(ref.attemptId);
    const attempt = this.attempts.get(ref.attemptId);
    if (attempt?.state === 'finished' || attempt?.state === 'returned' || attempt?.state === 'flushing') {
      this.params.output.drop(ref.attemptId);
      this.attempts.remove(attempt);
      this.startWaiting();
    }
  }

  /** Not ours any more: killed, and nothing is reported. Its slot is free when nothing of it is left. */
  close(attempt: Attempt): void {
    const wasRunning = isWithRunner(attempt) || attempt.state === 'returning';
    if (attempt.state === 'closing') {
      return;
    }
    this.params.reports.forget(attempt.ref.attemptId);
    this.params.output.drop(attempt.ref.attemptId);
    if (!wasRunning) {
      this.attempts.remove(attempt);
      this.startWaiting();
      return;
    }
    this.attempts.move(attempt, 'closing');
    this.kill(attempt, () => {
      this.attempts.remove(attempt);
      this.startWaiting();
    });
  }

  /** Kills what runs or is frozen, and gives it back. */
  returnRunning(reason: ReturnReason, which: (attempt: Attempt) => boolean = () => true): void {
    for (const attempt of this.attempts.in('running', 'frozen').filter(which)) {
      this.attempts.move(attempt, 'returning');
      this.kill(attempt, () => {
        if (attempt.state === 'returning') {
          this.keepReturned(attempt, reason, true);
        }
      });
    }
  }

  /** Nothing is started any more; what waits goes back. */
  drain(): void {
    this.closed = true;
    this.giveBackUnstarted();
  }

  /** The session is over: everything is killed, nothing is reported. */
  async killAll(): Promise<void> {
    this.closed = true;
    this.unstartedTimer?.cancel();
    this.params.output.close();
    for (const attempt of this.attempts.all()) {
      this.params.reports.forget(attempt.ref.attemptId);
      this.attempts.remove(attempt);
    }
    await this.params.runner.killAll();
  }

  /** A report is on the wire: the slot is free. */
  reportsSent(attemptIds: readonly string[]): void {
    for (const id of attemptIds) {
      const attempt = this.attempts.get(id);
      if (attempt !== undefined) {
        this.attempts.holdSlot(attempt, false);
      }
    }
    this.startWaiting();
  }

  private giveBackUnstarted(): void {
    this.unstartedTimer?.cancel();
    const now = this.params.clock.monotonicMs();
    for (const attempt of this.attempts.in('waiting')) {
      const dueInMs = this.closed ? 0 : attempt.arrivedAtMs + UNSTARTED_AFTER_MS - now;
      if (dueInMs > 0) {
        this.unstartedTimer = this.params.clock.setTimer(dueInMs, () => this.giveBackUnstarted());
        return;
      }
      this.keepReturned(attempt, 'unstarted', false);
    }
  }

  private kill(attempt: Attempt, then: () => void): void {
    void this.params.runner
      .kill(attempt.ref.attemptId)
      .catch((error: unknown) => {
        this.params.logger.error('killing an attempt failed', { ...attemptFields(attempt), error });
      })
      .then(() => {
        then();
        this.params.onChange();
      });
  }
}

export function attemptFields(attempt: Attempt): { jobId: string; attemptId: string; attempt: number } {
  return { jobId: attempt.ref.jobId, attemptId: attempt.ref.attemptId, attempt: attempt.number };
}
