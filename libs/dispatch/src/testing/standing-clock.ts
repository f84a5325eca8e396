import { type Clock, systemClock } from '@orchestrator/core';

/** The machine's clock, whose timers stand still on demand, like those of a process that was stopped. */
export class StandingClock implements Clock {
  private standing = false;
  private due: (() => void)[] = [];

  wallMs(): number {
    return systemClock.wallMs();
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  setTimer(delayMs: number, fn: () => void): { cancel(): void } {
    let cancelled = false;
    const fire = (): void => {
      if (this.standing && !cancelled) {
        this.due.push(fire);
      } else if (!cancelled) {
        fn();
      }
    };
    const timer = systemClock.setTimer(delayMs, fire);
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  stand(): void {
    this.standing = true;
  }

  go(): void {
    this.standing = false;
    this.due.splice(0).forEach((fire) => fire());
  }
}
