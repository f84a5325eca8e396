import type { Clock } from '@orchestrator/core';

import type { QueuedHandler } from './handler-wire.js';
import type { SharedCells } from './shared-cells.js';

export interface HandlerQueueParams {
  cells: SharedCells;
  clock: Clock;
  /** Goes on while the machine is suspended. */
  uptimeMs: () => number;
  /** Runs it. True: it is not over yet, and `ended` will follow. */
  start: (attempt: QueuedHandler, nowMs: number) => boolean;
  /** It was taken back. */
  dropped: (cell: number) => void;
}

/** After so long the event loop gets its turn: what is to be aborted is heard, and what has ended is told. */
const TURN_MS = 5;

/**
 * What the handlers' thread is to run, in order, so many at a time as it has slots: short handlers follow one another
 * without a word from the main thread. Before each turn the lease is looked at: a process that was stopped may wake when
 * its jobs run elsewhere.
 */
export class HandlerQueue {
  private readonly waiting: QueuedHandler[] = [];
  private next = 0;
  private slots = Infinity;
  private active = 0;
  private turnEndsMs = -Infinity;
  private turnIsDue = false;

  constructor(private readonly params: HandlerQueueParams) {}

  add(attempt: QueuedHandler): void {
    this.waiting.push(attempt);
  }

  setSlots(slots: number): void {
    this.slots = slots;
  }

  /** Starts what may start now. */
  pump(): void {
    const { cells, uptimeMs, clock } = this.params;
    if (uptimeMs() >= cells.leaseUntilMs) {
      return; // the main thread says so when it is good again, or takes everything back
    }
    this.turnEndsMs = clock.monotonicMs() + TURN_MS;
    this.fill();
  }

  /** One that was started is over. */
  ended(): void {
    this.active -= 1;
    this.fill();
  }

  private fill(): void {
    const { cells, clock, start, dropped } = this.params;
    while (this.active < this.slots) {
      const attempt = this.waiting[this.next];
      if (attempt === undefined) {
        this.waiting.length = 0;
        this.next = 0;
        return;
      }
      const nowMs = clock.monotonicMs();
      if (nowMs >= this.turnEndsMs) {
        this.takeTurn();
        return;
      }
      this.next += 1;
      if (!cells.start(attempt.cell)) {
        dropped(attempt.cell);
      } else if (start(attempt, nowMs)) {
        this.active += 1;
      }
    }
  }

  private takeTurn(): void {
    if (!this.turnIsDue) {
      this.turnIsDue = true;
      setImmediate(() => {
        this.turnIsDue = false;
        this.pump();
      });
    }
  }
}
