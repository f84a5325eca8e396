import type { Clock } from '@orchestrator/core';

export interface MessageLimits {
  perSecond: number;
  /** What may come at once. */
  burst: number;
}

/** Several times what a worker says that reports every job of 0.2 ms by itself. */
export const DEFAULT_MESSAGE_LIMITS: MessageLimits = { perSecond: 10_000, burst: 20_000 };

/** Of Hellos and heartbeats: a worker says one every few seconds, and each costs a call to Redis. */
export const PULSE_LIMITS: MessageLimits = { perSecond: 100, burst: 1_000 };

/** How many messages one worker may send. A token bucket. */
export class MessageBudget {
  private left: number;
  private atMs: number;

  constructor(
    private readonly clock: Clock,
    readonly limits: MessageLimits = DEFAULT_MESSAGE_LIMITS,
  ) {
    this.left = limits.burst;
    this.atMs = clock.monotonicMs();
  }

  /** False: it has sent too many. */
  take(): boolean {
    if (this.left < 1) {
      const nowMs = this.clock.monotonicMs();
      const earned = ((nowMs - this.atMs) / 1_000) * this.limits.perSecond;
      this.left = Math.min(this.limits.burst, this.left + earned);
      this.atMs = nowMs;
    }
    if (this.left < 1) {
      return false;
    }
    this.left -= 1;
    return true;
  }
}
