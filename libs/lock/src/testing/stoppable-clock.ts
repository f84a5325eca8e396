import { type Clock, systemClock, type Timer } from '@orchestrator/core';

/** As a process sees it that gets SIGSTOP and SIGCONT: time goes on, but no timer fires meanwhile. */
export class StoppableClock implements Clock {
  private stopped = false;
  private due: (() => void)[] = [];

  wallMs(): number {
    return systemClock.wallMs();
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    return systemClock.setTimer(delayMs, () => {
      if (this.stopped) {
        this.due.push(fn);
      } else {
        fn();
      }
    });
  }

  stop(): void {
    this.stopped = true;
  }

  wake(): void {
    this.stopped = false;
    for (const fn of this.due.splice(0)) {
      fn();
    }
  }
}
