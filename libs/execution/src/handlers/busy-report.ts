import type { Clock, Timer } from '@orchestrator/core';

/** Between two batches of short handlers there is none for a moment: that is not told. */
const IDLE_AFTER_MS = 100;

/** Tells whether handlers run: the first at once, the end of the last one when no other has followed soon. */
export class BusyReport {
  private busy = false;
  private told = false;
  /** None has run since the timer was set. */
  private isQuiet = false;
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly tell: (busy: boolean) => void,
  ) {}

  note(busy: boolean): void {
    this.busy = busy;
    if (busy) {
      this.isQuiet = false;
      this.tellNow();
    } else if (this.told && this.timer === undefined) {
      this.tellLater();
    }
  }

  /** Without waiting: somebody counts the time until the last one has ended. */
  noteNow(busy: boolean): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.busy = busy;
    this.tellNow();
  }

  private tellLater(): void {
    this.isQuiet = true;
    this.timer = this.clock.setTimer(IDLE_AFTER_MS, () => {
      this.timer = undefined;
      if (this.isQuiet) {
        this.tellNow();
      } else if (!this.busy) {
        this.tellLater();
      }
    });
  }

  private tellNow(): void {
    if (this.busy !== this.told) {
      this.told = this.busy;
      this.tell(this.busy);
    }
  }
}
