import type { Clock, Timer } from '@orchestrator/core';

/** Turns a second, in the long run: each costs the scheduler and Redis some hundred microseconds, whatever it carries. */
export const TURNS_PER_SECOND = 100;
/** Turns that follow one another at once after some rest. */
const BURST = 10;

/**
 * Lets turns that bring little gather more: beyond so many a second the next one waits, unless somebody is kept from work
 * by that. A token bucket: whoever makes fewer turns never waits, so that a single job is settled as soon as it is told.
 */
export class TurnPace {
  private tokens = BURST;
  private filledAtMs: number;
  private isUrgent = false;
  private stopped = false;
  private timer: Timer | undefined;
  private go: (() => void) | undefined;

  constructor(private readonly clock: Clock) {
    this.filledAtMs = clock.monotonicMs();
  }

  /** Until the next turn may begin. `isIdle`: somebody has nothing to do. */
  async wait(isIdle: () => boolean): Promise<void> {
    this.fill();
    if (this.tokens < 1 && !this.isUrgent && !this.stopped && !isIdle()) {
      await new Promise<void>((resolve) => {
        this.go = resolve;
        this.timer = this.clock.setTimer(((1 - this.tokens) / TURNS_PER_SECOND) * 1_000, resolve);
      });
      this.timer?.cancel();
      this.go = undefined;
      this.fill();
    }
    this.isUrgent = false;
    this.tokens = Math.max(0, this.tokens - 1);
  }

  /** The next turn begins at once. */
  hurry(): void {
    this.isUrgent = true;
    this.go?.();
  }

  /** Nothing waits any more. */
  stop(): void {
    this.stopped = true;
    this.go?.();
  }

  private fill(): void {
    const now = this.clock.monotonicMs();
    this.tokens = Math.min(BURST, this.tokens + ((now - this.filledAtMs) / 1_000) * TURNS_PER_SECOND);
    this.filledAtMs = now;
  }
}
