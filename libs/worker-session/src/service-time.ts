/** What lies ahead of the free slots is at most so much work: the bound of what order and fairness may be off by. */
export const AHEAD_MS = 20;
/** However short jobs are. A batch of this size costs hardly more a job than a larger one. */
export const MAX_AHEAD = 1_000;

const WEIGHT = 0.2;
/** What an attempt is taken to have lasted that others waited for in vain: a dozen short ones outweigh it. */
const STALLED_MS = 20 * AHEAD_MS;
/** Ends come in bursts: what lies between them is averaged over more of them. */
const GAP_WEIGHT = 1 / 64;

/**
 * How long attempts take, how fast they follow one another while there is enough to do (both exponentially weighted), and
 * how far to fetch ahead because of it: nothing before anything was measured, or while one takes longer than `AHEAD_MS`.
 */
export class ServiceTime {
  private averageMs: number | undefined;
  private gapMs: number | undefined;
  private ends = 0;
  private lastEndMs: number | undefined;

  constructor(private readonly slots: number) {}

  /** One has ended. `moreWaits`: another one waits already, so the time until the next end is work, not idleness. */
  add(durationMs: number, nowMs: number, moreWaits: boolean): void {
    if (!this.isShort) {
      // How fast long ones followed one another says nothing of the short ones that may come: of them the duration does.
      this.gapMs = undefined;
      this.lastEndMs = undefined;
    }
    this.averageMs =
      this.averageMs === undefined ? durationMs : this.averageMs + WEIGHT * (durationMs - this.averageMs);
    this.ends += 1;
    const gap = this.lastEndMs === undefined ? durationMs / this.slots : nowMs - this.lastEndMs;
    const weight = Math.max(1 / this.ends, GAP_WEIGHT);
    this.gapMs = this.gapMs === undefined ? gap : this.gapMs + weight * (gap - this.gapMs);
    this.lastEndMs = moreWaits ? nowMs : undefined;
  }

  /** What was fetched ahead did not start in time: something long is in front. Nothing is fetched until work is short again. */
  stalled(): void {
    this.averageMs = STALLED_MS;
  }

  /** Jobs beyond the free slots. */
  get prefetch(): number {
    if (this.gapMs === undefined || !this.isShort) {
      return 0;
    }
    return Math.min(MAX_AHEAD, Math.floor(AHEAD_MS / Math.max(this.gapMs, AHEAD_MS / MAX_AHEAD)));
  }

  private get isShort(): boolean {
    return this.averageMs !== undefined && this.averageMs < AHEAD_MS;
  }
}
