import type { Clock, Timer } from '@orchestrator/core';

import { setLongTimer } from './long-timer.js';

const ASK_AGAIN_MS = 50;

export interface PausableTimerParams {
  clock: Clock;
  delayMs: number;
  /** Asked when it is due; while it says no, it is asked again. */
  mayFire: () => boolean;
  fn: () => void;
}

/** A timer of any length whose time can stand still. */
export class PausableTimer implements Timer {
  private leftMs: number;
  private sinceMs = 0;
  private timer: Timer | undefined;

  constructor(private readonly params: PausableTimerParams) {
    this.leftMs = params.delayMs;
    this.resume();
  }

  /** Since so long ago already. */
  pause(agoMs: number): void {
    if (this.timer !== undefined) {
      this.timer.cancel();
      this.timer = undefined;
      this.leftMs -= Math.max(0, this.params.clock.monotonicMs() - this.sinceMs - agoMs);
    }
  }

  resume(): void {
    this.sinceMs = this.params.clock.monotonicMs();
    this.arm(Math.max(0, this.leftMs));
  }

  cancel(): void {
    this.timer?.cancel();
  }

  private arm(delayMs: number): void {
    this.timer?.cancel();
    this.timer = setLongTimer(this.params.clock, delayMs, () => {
      if (this.params.mayFire()) {
        this.params.fn();
      } else {
        this.arm(ASK_AGAIN_MS);
      }
    });
  }
}
