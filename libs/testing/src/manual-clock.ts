import type { Clock, Timer } from '@orchestrator/core';

interface Waiting {
  atMs: number;
  fn: () => void;
}

/** A clock that moves only when it is told to. Timers fire in the order of their times, inside `advance`. */
export class ManualClock implements Clock {
  private elapsedMs = 0;
  private wallOffsetMs: number;
  private waiting: Waiting[] = [];

  constructor(wallStartMs = Date.UTC(2026, 0, 1)) {
    this.wallOffsetMs = wallStartMs;
  }

  wallMs(): number {
    return this.wallOffsetMs + this.elapsedMs;
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const entry = { atMs: this.elapsedMs + Math.max(delayMs, 0), fn };
    this.waiting.push(entry);
    return { cancel: () => (this.waiting = this.waiting.filter((other) => other !== entry)) };
  }

  /** Timers that were set and have neither fired nor been taken back. */
  get pendingTimers(): number {
    return this.waiting.length;
  }

  /** Moves time on and fires what is due, also what is set meanwhile. What they start asynchronously goes on later. */
  advance(byMs: number): void {
    const untilMs = this.elapsedMs + byMs;
    for (let due = this.nextDue(untilMs); due !== undefined; due = this.nextDue(untilMs)) {
      this.waiting = this.waiting.filter((other) => other !== due);
      this.elapsedMs = Math.max(this.elapsedMs, due.atMs);
      due.fn();
    }
    this.elapsedMs = untilMs;
  }

  /** As a process that was stopped sees it: time has passed, no timer has fired; they are all due at the next `advance`. */
  jump(byMs: number): void {
    this.elapsedMs += byMs;
  }

  /** An operator or NTP sets the machine's clock; monotonic time and timers do not notice. */
  setWall(byMs: number): void {
    this.wallOffsetMs += byMs;
  }

  private nextDue(untilMs: number): Waiting | undefined {
    return this.waiting
      .filter((entry) => entry.atMs <= untilMs)
      .reduce<Waiting | undefined>((first, entry) => (first && first.atMs <= entry.atMs ? first : entry), undefined);
  }
}
