import type { JobSpec } from '@orchestrator/core';
import { type AttemptRef, type HeldAttempt, HeldState } from '@orchestrator/proto-types';

/**
 * - `waiting`: assigned, not started.
 * - `running`: handed to the runner.
 * - `frozen`: stopped by the runner at the lease's end. It keeps its slot and goes on only when a scheduler says that it is
 *   still ours.
 * - `flushing`: ended; its output is not safe yet.
 * - `returning`: being killed, will be given back.
 * - `finished`, `returned`: its report is kept until it is recorded.
 * - `closing`: being killed, not ours any more: nothing is reported and nobody is told that we hold it.
 */
export type AttemptState =
  'waiting' | 'running' | 'frozen' | 'flushing' | 'returning' | 'finished' | 'returned' | 'closing';

export interface Attempt {
  readonly ref: AttemptRef;
  readonly spec: JobSpec;
  readonly number: number;
  readonly traceparent: string;
  /** Monotonic. */
  readonly arrivedAtMs: number;
  state: AttemptState;
  /** From its start until its report was sent. */
  holdsSlot: boolean;
  /** Monotonic. */
  startedAtMs: number;
  cancelling: boolean;
}

export type NewAttempt = Pick<Attempt, 'ref' | 'spec' | 'number' | 'traceparent' | 'arrivedAtMs'>;

const HELD_STATES: Partial<Record<AttemptState, HeldState>> = {
  waiting: HeldState.RUNNING,
  running: HeldState.RUNNING,
  frozen: HeldState.FROZEN,
  returning: HeldState.RUNNING,
  flushing: HeldState.FINISHED,
  finished: HeldState.FINISHED,
  returned: HeldState.RETURNED,
};

/** Something of it is there to be killed, confirmed or ended: it is with the runner. */
export function isWithRunner(attempt: Attempt): boolean {
  return attempt.state === 'running' || attempt.state === 'frozen';
}

/** What this session holds, in the order of assignment. */
export class Attempts {
  private readonly byId = new Map<string, Attempt>();
  private readonly counts = new Map<AttemptState, number>();
  private slotsHeld = 0;

  add(attempt: NewAttempt): Attempt {
    const added: Attempt = { ...attempt, state: 'waiting', holdsSlot: false, startedAtMs: 0, cancelling: false };
    this.byId.set(attempt.ref.attemptId, added);
    this.count('waiting', 1);
    return added;
  }

  get(attemptId: string): Attempt | undefined {
    return this.byId.get(attemptId);
  }

  move(attempt: Attempt, state: AttemptState): void {
    this.count(attempt.state, -1);
    this.count(state, 1);
    attempt.state = state;
  }

  holdSlot(attempt: Attempt, holds: boolean): void {
    if (attempt.holdsSlot !== holds) {
      attempt.holdsSlot = holds;
      this.slotsHeld += holds ? 1 : -1;
    }
  }

  remove(attempt: Attempt): void {
    if (this.byId.delete(attempt.ref.attemptId)) {
      this.count(attempt.state, -1);
      this.holdSlot(attempt, false);
    }
  }

  all(): Attempt[] {
    return [...this.byId.values()];
  }

  /** In the order of assignment. */
  in(...states: AttemptState[]): Attempt[] {
    const found = this.countOf(...states) > 0;
    return found ? [...this.byId.values()].filter((attempt) => states.includes(attempt.state)) : [];
  }

  countOf(...states: AttemptState[]): number {
    return states.reduce((sum, state) => sum + (this.counts.get(state) ?? 0), 0);
  }

  get busySlots(): number {
    return this.slotsHeld;
  }

  get size(): number {
    return this.byId.size;
  }

  /** For a Hello: every attempt that was not seen recorded and is still ours. */
  held(): HeldAttempt[] {
    return [...this.byId.values()].flatMap((attempt) => {
      const state = HELD_STATES[attempt.state];
      return state === undefined ? [] : [{ attempt: attempt.ref, state, number: attempt.number }];
    });
  }

  private count(state: AttemptState, by: number): void {
    this.counts.set(state, this.countOf(state) + by);
  }
}
