import type { Clock, Timer } from '@orchestrator/core';

/** Looked at this often: timers do not run while the machine is suspended, and the lease does. */
const LOOK_EVERY_MS = 200;

export interface LeaseWatchParams {
  clock: Clock;
  uptimeMs: () => number;
  /** Resolves when everything that was waiting in the pipe has been read: a renewal may be in it. */
  quiet: () => Promise<void>;
  onExpired: () => void;
}

/** The lease as the executor holds it. There is none until the first renewal. */
export class LeaseWatch {
  private untilMs = -Infinity;
  private lengthMs = 0;
  private expired = true;
  private timer: Timer | undefined;

  constructor(private readonly params: LeaseWatchParams) {}

  get valid(): boolean {
    return this.params.uptimeMs() < this.untilMs;
  }

  /** Its end has been noticed: what the clock says costs more. */
  get hasExpired(): boolean {
    return this.expired;
  }

  /** Since the lease ended. */
  get overdueMs(): number {
    return Math.max(0, this.params.uptimeMs() - this.untilMs);
  }

  /** What was sent then is not older than a lease. */
  covers(sentAtUptimeMs: number): boolean {
    return this.params.uptimeMs() < sentAtUptimeMs + this.lengthMs;
  }

  renew(sentAtUptimeMs: number, leaseMs: number): void {
    this.lengthMs = leaseMs;
    this.untilMs = Math.max(this.untilMs, sentAtUptimeMs + leaseMs);
    if (this.expired && this.valid) {
      this.expired = false;
      this.arm();
    }
  }

  private arm(): void {
    const { clock, uptimeMs } = this.params;
    const delayMs = Math.max(1, Math.min(LOOK_EVERY_MS, this.untilMs - uptimeMs()));
    this.timer?.cancel();
    this.timer = clock.setTimer(delayMs, () => void this.look());
  }

  private async look(): Promise<void> {
    if (!this.valid) {
      await this.params.quiet();
    }
    if (this.valid) {
      this.arm();
    } else if (!this.expired) {
      this.expired = true;
      this.params.onExpired();
    }
  }
}
