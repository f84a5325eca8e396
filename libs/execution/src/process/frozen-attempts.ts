import type { Clock, Timer } from '@orchestrator/core';

import type { FromExecutor } from '../wire.js';
import type { CommandAttempt } from './command-attempt.js';
import type { LeaseWatch } from './lease-watch.js';

const LOOK_EVERY_MS = 200;

export interface FrozenAttemptsParams {
  clock: Clock;
  uptimeMs: () => number;
  lease: LeaseWatch;
  attempt: (attemptId: string) => CommandAttempt | undefined;
  /** Resolves when nothing is left of them. */
  kill: (attemptIds: readonly string[]) => Promise<void>;
  send: (message: FromExecutor) => void;
}

/** What is stopped because there is no lease: until it is confirmed, is ended, or has been stopped for too long. */
export class FrozenAttempts {
  private readonly frozen = new Set<CommandAttempt>();
  /** Stopped, and not said so yet. */
  private unsaid: CommandAttempt[] = [];
  private timer: Timer | undefined;

  constructor(private readonly params: FrozenAttemptsParams) {}

  /** Those that are frozen already stay so, and their limit runs on. */
  freeze(attempts: readonly CommandAttempt[]): void {
    const { lease, uptimeMs } = this.params;
    const now = uptimeMs();
    const { overdueMs } = lease;
    for (const attempt of attempts.filter((one) => !one.isFrozen)) {
      this.frozen.add(attempt);
      void attempt.freeze(now, overdueMs).then((is) => (is ? this.say(attempt) : undefined));
    }
    this.watch();
  }

  /** What was held when something was sent goes on, if it was frozen by then and that is less than a lease ago. */
  confirm(attemptIds: readonly string[], sentAtUptimeMs: number): void {
    const { lease } = this.params;
    const may = (): boolean => lease.valid && lease.covers(sentAtUptimeMs);
    attemptIds.forEach((attemptId) => void this.thaw(attemptId, sentAtUptimeMs, may));
  }

  private async thaw(attemptId: string, sentAtUptimeMs: number, may: () => boolean): Promise<void> {
    const attempt = this.params.attempt(attemptId);
    if (attempt !== undefined && (await attempt.thaw(sentAtUptimeMs, may))) {
      this.frozen.delete(attempt);
      this.sayFrozen();
      this.params.send({ kind: 'thawed', attemptIds: [attemptId] });
    }
  }

  /** Many are stopped in the same moment: one message for them. */
  private say(attempt: CommandAttempt): void {
    if (this.unsaid.push(attempt) === 1) {
      setImmediate(() => this.sayFrozen());
    }
  }

  private sayFrozen(): void {
    const attemptIds = this.unsaid.splice(0).map(({ attemptId }) => attemptId);
    if (attemptIds.length > 0) {
      this.params.send({ kind: 'frozen', attemptIds });
    }
  }

  /** Looked at on and off: the limit goes on during a suspend, and timers do not. */
  private watch(): void {
    if (this.frozen.size > 0) {
      this.timer ??= this.params.clock.setTimer(LOOK_EVERY_MS, () => {
        this.timer = undefined;
        void this.look();
      });
    }
  }

  private async look(): Promise<void> {
    const { attempt, kill, send, uptimeMs } = this.params;
    const now = uptimeMs();
    for (const one of this.frozen) {
      if (!one.isFrozen || attempt(one.attemptId) !== one) {
        this.frozen.delete(one);
      }
    }
    const late = [...this.frozen].filter((one) => one.isFrozenTooLong(now));
    late.forEach((one) => this.frozen.delete(one));
    this.watch();
    if (late.length > 0) {
      const attemptIds = late.map(({ attemptId }) => attemptId);
      await kill(attemptIds);
      send({ kind: 'freezeLimitReached', attemptIds });
    }
  }
}
