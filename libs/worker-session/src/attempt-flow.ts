import type { Clock, ReturnReason, Timer } from '@orchestrator/core';
import type { FinishedAttempt } from '@orchestrator/proto-types';
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
  /** How many of what was fetched ahead may stand by with the runner: none unless attempts are short. */
  standby(): number;
  /** Slots, reports or what is held changed. */
  onChange(): void;
  /** What was fetched ahead has not started in time. */
  onStalled(): void;
}

/** The moves of an attempt between its states, each with all that belongs to it. Knows nothing of links. */
export class AttemptFlow {
  readonly attempts = new Attempts();
  private unstartedTimer: Timer | undefined;
  private closed = false;

  constructor(private readonly params: AttemptFlowParams) {}

  get freeSlots(): number {
    return this.unheld - this.lent;
  }

  /** Assigned, and not running: there was no slot. */
  get unstarted(): number {
    const { attempts } = this;
    return attempts.countOf('waiting') + attempts.countStandby + attempts.countAhead - this.lent;
  }

  /** Slots that no command holds. */
  private get unheld(): number {
    return Math.max(0, this.params.slots - this.attempts.busySlots);
  }

  /** Of those, what may run of what was handed over ahead: never more than there is of that. */
  private get lent(): number {
    return Math.min(this.unheld, this.attempts.countAhead);
  }

  /** Something has not come to its end yet. */
  get isBusy(): boolean {
    return this.attempts.countOf('waiting', 'queued', 'running', 'frozen', 'flushing', 'returning', 'closing') > 0;
  }

  /** Takes over what was assigned, in its order; starts what has a slot. */
  add(assigned: readonly NewAttempt[]): void {
    for (const attempt of assigned) {
      if (this.attempts.get(attempt.ref.attemptId) === undefined) {
        this.attempts.add(attempt);
      }
    }
    this.startWaiting();
    if (this.closed || this.unstartedTimer === undefined) {
      this.giveBackUnstarted();
    }
    this.params.onChange();
  }

  /** A slot became free, or the lease good again. In the order of assignment, whatever runs it. */
  startWaiting(): void {
    if (!this.closed && this.params.lease.valid) {
      let attempt = this.attempts.first('waiting');
      while (attempt !== undefined && this.start(attempt)) {
        attempt = this.attempts.first('waiting');
      }
    }
    this.params.runner.lend(this.lent);
  }

  private start(attempt: Attempt): boolean {
    const { runner } = this.params;
    const ahead = runner.takesAhead(attempt.spec);
    const standby = !ahead && this.freeSlots === 0;
    if (standby ? !this.mayStandBy : ahead && this.unheld === 0) {
      return false;
    }
    this.attempts.move(attempt, ahead || standby ? 'queued' : 'running');
    this.attempts.handAhead(attempt, ahead);
    this.attempts.standBy(attempt, standby);
    this.attempts.holdSlot(attempt, !ahead && !standby);
    runner.run(attempt, this.attempts.busySlots);
    return true;
  }

  /**
   * So that the next command starts as soon as one ends, whatever hangs between the two. Only while commands hold all slots:
   * whichever becomes free then is the next one's. Not while output waits to be sent: that is what slows commands down.
   */
  private get mayStandBy(): boolean {
    const { attempts, params } = this;
    const isSending = attempts.countOf('flushing') >= params.slots;
    return this.unheld === 0 && !isSending && attempts.countStandby < params.standby();
  }

  /** It was handed over ahead and has started by now. */
  started(attempt: Attempt): void {
    if (attempt.state === 'queued') {
      this.attempts.move(attempt, 'running');
    }
  }

  /**
   * True: it had not started, and never will; it is the caller's to move on. One that stands by is only asked for: it comes
   * back as unstarted, or goes on.
   */
  recall(attempt: Attempt): boolean {
    if (attempt.state === 'queued' && this.params.runner.recall(attempt.ref.attemptId)) {
      this.attempts.handAhead(attempt, false);
      return true;
    }
    return attempt.state === 'waiting';
  }

  /** The runner has nothing of it any more. */
  ended(attempt: Attempt): void {
    this.attempts.handAhead(attempt, false);
    this.attempts.standBy(attempt, false);
    this.attempts.move(attempt, 'flushing');
    if (this.attempts.countStandby > 0) {
      this.attempts.holdSlot(attempt, false);
    }
  }

  keepFinished(attempt: Attempt, report: FinishedAttempt): void {
    this.attempts.move(attempt, 'finished');
    this.params.reports.keepFinished(report);
    this.params.onChange();
  }

  keepReturned(attempt: Attempt, reason: ReturnReason, started: boolean): void {
    const isOneOfMany = reason === 'unstarted'; // of which the count is told
    this.params.logger[isOneOfMany ? 'debug' : 'info']('attempt returned', { ...attemptFields(attempt), reason });
    this.params.output.drop(attempt.ref.attemptId);
    this.attempts.handAhead(attempt, false);
    this.attempts.standBy(attempt, false);
    this.attempts.move(attempt, 'returned');
    this.params.reports.keepReturned({ attempt: attempt.ref, reason: toReturnReason(reason), started });
    this.params.onChange();
  }

  /** Their reports are durable, or nobody wants them. */
  forget(attemptIds: readonly string[]): void {
    for (const attemptId of attemptIds) {
      this.params.reports.forget(attemptId);
      const attempt = this.attempts.get(attemptId);
      if (attempt?.state === 'finished' || attempt?.state === 'returned' || attempt?.state === 'flushing') {
        this.params.output.drop(attemptId);
        this.attempts.remove(attempt);
      }
    }
    this.startWaiting();
  }

  /** Not ours any more: killed, and nothing is reported. Its slot is free when nothing of it is left. */
  close(attempt: Attempt): void {
    if (attempt.state === 'closing') {
      return;
    }
    const wasRunning = !this.recall(attempt) && (isWithRunner(attempt) || attempt.state === 'returning');
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
    for (const attempt of this.attempts.in('queued', 'running', 'frozen').filter(which)) {
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

  /** Looks again when the next one is due: what arrives meanwhile is due later. */
  private giveBackUnstarted(): void {
    this.unstartedTimer?.cancel();
    this.unstartedTimer = undefined;
    const late = [...this.late('queued'), ...this.late('waiting')];
    const isStalled = late.some(({ standby }) => standby);
    const due = late.filter((attempt) => this.takeBack(attempt));
    if ((due.length > 0 || isStalled) && !this.closed) {
      this.params.onStalled();
    }
    if (due.length > 0) {
      this.params.logger.info('attempts that had not started go back', { attempts: due.length });
    }
    due.forEach((attempt) => this.keepReturned(attempt, 'unstarted', false));
    const arrived = [this.attempts.first('queued'), this.attempts.first('waiting')].flatMap((one) => one ?? []);
    if (arrived.length > 0) {
      const next = Math.min(...arrived.map(({ arrivedAtMs }) => arrivedAtMs)) + UNSTARTED_AFTER_MS;
      const { clock } = this.params;
      this.unstartedTimer = clock.setTimer(Math.max(0, next - clock.monotonicMs()), () => this.giveBackUnstarted());
    }
  }

  private late(state: 'queued' | 'waiting'): Attempt[] {
    const arrivedBefore = this.closed ? Infinity : this.params.clock.monotonicMs() - UNSTARTED_AFTER_MS;
    const all = this.attempts.in(state);
    const next = all.findIndex(({ arrivedAtMs }) => arrivedAtMs > arrivedBefore);
    return next === -1 ? all : all.slice(0, next);
  }

  /** From whoever has it. What cannot be had has started, or says so itself. */
  private takeBack(attempt: Attempt): boolean {
    const isOurs = this.recall(attempt);
    if (!isOurs) {
      this.started(attempt);
    }
    return isOurs;
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
