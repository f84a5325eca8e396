import type { Credit } from '@orchestrator/proto-types';

export interface CreditState {
  freeSlots: number;
  /** Has arrived and not started. */
  waiting: number;
  /** Wanted beyond the free slots. */
  prefetch: number;
}

/** Of what is wanted beyond the free slots. */
const TOP_UP = 0.25;

/**
 * What a scheduler may assign: a total since the Welcome, so that an assignment and a credit that cross on the wire are
 * not counted twice. It never falls: what was granted may be on its way. Who wants less says Hello.
 */
export class CreditLedger {
  private epoch: number | undefined;
  private assigned = 0;
  private granted = 0;
  private prefetch = 0;

  /** A Welcome: everything counts from zero. */
  open(epoch: number): void {
    this.epoch = epoch;
    this.assigned = 0;
    this.granted = 0;
    this.prefetch = 0;
  }

  /** A Hello, or the end of the link: nothing is granted. */
  close(): void {
    this.epoch = undefined;
  }

  received(count: number): void {
    this.assigned += count;
  }

  /** Granted and not used, beyond so many. */
  beyond(freeSlots: number): number {
    return this.epoch === undefined ? 0 : Math.max(0, this.granted - this.assigned - freeSlots);
  }

  /**
   * The message to send when there is something to say that was not said before. A free slot is granted at once; what lies
   * beyond is topped up in quarters, so that jobs are claimed in batches and not one for each that ended.
   */
  next(state: CreditState): Credit | undefined {
    if (this.epoch === undefined) {
      return undefined;
    }
    const free = Math.max(0, state.freeSlots - state.waiting);
    const wanted = Math.max(0, state.freeSlots + state.prefetch - state.waiting);
    const open = this.granted - this.assigned;
    const saidFree = Math.max(0, open - this.prefetch);
    const isTold = open >= wanted - Math.floor(state.prefetch * TOP_UP) && saidFree >= free;
    if (isTold) {
      return undefined;
    }
    this.granted = Math.max(this.granted, this.assigned + wanted);
    this.prefetch = Math.max(0, this.granted - this.assigned - free);
    return { epoch: this.epoch, granted: this.granted, prefetch: this.prefetch };
  }
}
