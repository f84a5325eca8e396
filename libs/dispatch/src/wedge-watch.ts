/** What is known about a worker at one of its heartbeats. */
export interface WedgeSample {
  slots: number;
  /** As the heartbeat says. */
  freeSlots: number;
  draining: boolean;
  /** Jobs are queued in a pool of it. */
  isWanted: boolean;
  /** The total that it has granted since its Welcome. */
  granted: number;
  /** Of that, what was not assigned. */
  unused: number;
  /** It has said that so many may lie with it beyond its slots. */
  prefetch: number;
  /** Attempts that it was given `WEDGED_BEATS` heartbeats ago or earlier and has not reported. */
  overdue: number;
}

/** So many heartbeats in a row have to say the same. */
export const WEDGED_BEATS = 3;

/**
 * Finds a worker that beats but takes no work (worker protocol, rule 5): it has free slots and grants no credit though
 * jobs wait for it, or it does not run what it was given. Fed with each heartbeat; holds until the worker shows that it
 * takes work again, also across a Welcome.
 */
export class WedgeWatch {
  private idleBeats = 0;
  private granted = 0;
  private seen: 'no credit' | 'not run' | undefined;

  get isWedged(): boolean {
    return this.seen !== undefined;
  }

  /** A Welcome: credit counts from zero. What was seen stays until a heartbeat shows otherwise. */
  restart(): void {
    this.idleBeats = 0;
    this.granted = 0;
  }

  /** Says what is seen for the first time since it was healthy; undefined when there is nothing new. */
  beat(sample: WedgeSample): string | undefined {
    const before = this.seen;
    const { freeSlots, slots, unused, prefetch, overdue } = sample;
    const hasGranted = sample.granted > this.granted || unused > 0;
    this.granted = sample.granted;
    const takesNothing = freeSlots > 0 && !sample.draining && !hasGranted;
    this.idleBeats = takesNothing && (sample.isWanted || before === 'no credit') ? this.idleBeats + 1 : 0;
    if (overdue - prefetch > slots - freeSlots) {
      this.seen = 'not run';
      const running = Math.max(0, slots - freeSlots);
      return before === undefined
        ? `${overdue} attempts were assigned ${WEDGED_BEATS} heartbeats ago or earlier, and it runs ${running}`
        : undefined;
    }
    if (this.idleBeats >= WEDGED_BEATS || (takesNothing && before === 'no credit')) {
      this.seen = 'no credit';
      return before === undefined
        ? `${freeSlots} of ${slots} slots are free, jobs wait, and it has granted no credit for ${this.idleBeats} heartbeats`
        : undefined;
    }
    this.seen = undefined;
    return undefined;
  }
}
