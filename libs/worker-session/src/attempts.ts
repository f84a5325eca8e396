import type { JobSpec } from '@orchestrator/core';
import { type AttemptRef, type HeldAttempt, HeldState } from '@orchestrator/proto-types';

import { AttemptList } from './attempt-list.js';

/**
 * - `waiting`: assigned, not started.
 * - `queued`: handed to the runner ahead of a slot, or to stand by for one; it may have started already.
 * - `running`: handed to the runner, and started.
 * - `frozen`: stopped by the runner at the lease's end. It keeps its slot and goes on only when a scheduler says that it is
 *   still ours.
 * - `flushing`: ended; its output is not safe yet.
 * - `returning`: being killed, will be given back.
 * - `finished`, `returned`: its report is kept until it is recorded.
 * - `closing`: being killed, not ours any more: nothing is reported and nobody is told that we hold it.
 */
export type AttemptState =
  'waiting' | 'queued' | 'running' | 'frozen' | 'flushing' | 'returning' | 'finished' | 'returned' | 'closing';

export interface Attempt {
  readonly ref: AttemptRef;
  readonly spec: JobSpec;
  /** The same as it arrived. */
  readonly specJson: string;
  readonly number: number;
  readonly traceparent: string;
  /** Monotonic. */
  readonly arrivedAtMs: number;
  state: AttemptState;
  /** From its start until its report was sent. Not of what was handed over ahead: those share what is lent. */
  holdsSlot: boolean;
  /** It was handed over ahead, and has not ended. */
  ahead: boolean;
  /** It is with the runner to start in the slot that the next attempt leaves, and holds none yet. */
  standby: boolean;
  cancelling: boolean;
  /** Its neighbours of the same state: `AttemptList`'s. */
  previous: Attempt | undefined;
  next: Attempt | undefined;
}

export type NewAttempt = Pick<Attempt, 'ref' | 'spec' | 'specJson' | 'number' | 'traceparent' | 'arrivedAtMs'>;

const HELD_STATES: Partial<Record<AttemptState, HeldState>> = {
  waiting: HeldState.RUNNING,
  queued: HeldState.RUNNING,
  running: HeldState.RUNNING,
  frozen: HeldState.FROZEN,
  returning: HeldState.RUNNING,
  flushing: HeldState.FINISHED,
  finished: HeldState.FINISHED,
  returned: HeldState.RETURNED,
};

/** Something of it is there to be killed, confirmed or ended: it is with the runner. */
export function isWithRunner(attempt: Attempt): boolean {
  return attempt.state === 'queued' || attempt.state === 'running' || attempt.state === 'frozen';
}

/** What this session holds. */
export class Attempts {
  private readonly byId = new Map<string, Attempt>();
  private readonly byState: Readonly<Record<AttemptState, AttemptList>> = {
    waiting: new AttemptList(),
    queued: new AttemptList(),
    running: new AttemptList(),
    frozen: new AttemptList(),
    flushing: new AttemptList(),
    returning: new AttemptList(),
    finished: new AttemptList(),
    returned: new AttemptList(),
    closing: new AttemptList(),
  };
  private slotsHeld = 0;
  private handedAhead = 0;
  /** In the order in which the runner starts them. */
  private readonly standingBy = new Set<Attempt>();

  add({ ref, spec, specJson, number, traceparent, arrivedAtMs }: NewAttempt): Attempt {
    const added: Attempt = {
      ref,
      spec,
      specJson,
      number,
      traceparent,
      arrivedAtMs,
      state: 'waiting',
      holdsSlot: false,
      ahead: false,
      standby: false,
      cancelling: false,
      previous: undefined,
      next: undefined,
    };
    this.byId.set(ref.attemptId, added);
    this.byState.waiting.append(added);
    return added;
  }

  get(attemptId: string): Attempt | undefined {
    return this.byId.get(attemptId);
  }

  move(attempt: Attempt, state: AttemptState): void {
    this.byState[attempt.state].remove(attempt);
    this.byState[state].append(attempt);
    attempt.state = state;
  }

  /** A slot that is left passes on to the first one that stands by: the runner has started it, or is about to. */
  holdSlot(attempt: Attempt, holds: boolean): void {
    if (attempt.holdsSlot !== holds) {
      attempt.holdsSlot = holds;
      this.slotsHeld += holds ? 1 : -1;
      const [next] = holds ? [] : this.standingBy;
      if (next !== undefined) {
        this.standBy(next, false);
        this.holdSlot(next, true);
        if (next.state === 'queued') {
          this.move(next, 'running');
        }
      }
    }
  }

  /** It waits with the runner for the slot of another attempt, or does no more. */
  standBy(attempt: Attempt, stands: boolean): void {
    if (attempt.standby !== stands) {
      attempt.standby = stands;
      if (stands) {
        this.standingBy.add(attempt);
      } else {
        this.standingBy.delete(attempt);
      }
    }
  }

  /** It is with the runner ahead of a slot, or is no more. */
  handAhead(attempt: Attempt, ahead: boolean): void {
    if (attempt.ahead !== ahead) {
      attempt.ahead = ahead;
      this.handedAhead += ahead ? 1 : -1;
    }
  }

  remove(attempt: Attempt): void {
    if (this.byId.delete(attempt.ref.attemptId)) {
      this.handAhead(attempt, false);
      this.standBy(attempt, false);
      this.byState[attempt.state].remove(attempt);
      this.holdSlot(attempt, false);
    }
  }

  all(): Attempt[] {
    return [...this.byId.values()];
  }

  /** The first one of this state: of those that wait, the one that was assigned first. */
  first(state: AttemptState): Attempt | undefined {
    return this.byState[state].first;
  }

  in(...states: AttemptState[]): Attempt[] {
    return states.flatMap((state) => this.byState[state].toArray());
  }

  countOf(...states: AttemptState[]): number {
    return states.reduce((sum, state) => sum + this.byState[state].size, 0);
  }

  get busySlots(): number {
    return this.slotsHeld;
  }

  /** How many were handed over ahead and have not ended. */
  get countAhead(): number {
    return this.handedAhead;
  }

  get countStandby(): number {
    return this.standingBy.size;
  }

  get size(): number {
    return this.byId.size;
  }

  /** For a Hello: every attempt that was not seen recorded and is still ours, in the order of assignment. */
  held(): HeldAttempt[] {
    return [...this.byId.values()].flatMap((attempt) => {
      const state = HELD_STATES[attempt.state];
      return state === undefined ? [] : [{ attempt: attempt.ref, state, number: attempt.number }];
    });
  }
}
