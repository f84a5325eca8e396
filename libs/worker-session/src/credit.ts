import type { Credit } from '@orchestrator/proto-types';

export interface CreditState {
  freeSlots: number;
  /** Has arrived and not started. */
  waiting: number;
  /** Wanted beyond the free slots. */
  prefetch: number;
}

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

  /** The message to send when there is something to say that was not said before. */
  next(state: CreditState): Credit | undefined {
    if (this.epoch === undefined) {
      return undefined;
    }
    const free = Math.max(0, state.freeSlots - state.waiting);
    const wanted = Math.max(0, state.freeSlots + state.prefetch - state.waiting);
    const granted = Math.max(this.granted, this.assigned + wanted);
    const prefetch = Math.max(0, granted - this.assigned - free);
    if (granted === this.granted && prefetch === this.prefetch) {
      return undefined;
    }
    this.granted = granted;
    this.prefetch = prefetch;
    return { epoch: this.epoch, granted, prefetch };
  }
}
