/** Jobs ahead of the free slots while work is short. */
export const PREFETCH = 4;
/** From here on waiting behind a running attempt costs more than a round trip saves. */
export const PREFETCH_BELOW_MS = 20;

const WEIGHT = 0.2;

/** What an attempt took lately (exponentially weighted), and how far to fetch ahead because of it. */
export class ServiceTime {
  private averageMs: number | undefined;

  add(durationMs: number): void {
    this.averageMs =
      this.averageMs === undefined ? durationMs : this.averageMs + WEIGHT * (durationMs - this.averageMs);
  }

  /** Nothing is fetched ahead before anything was measured. */
  get prefetch(): number {
    return this.averageMs !== undefined && this.averageMs < PREFETCH_BELOW_MS ? PREFETCH : 0;
  }
}
