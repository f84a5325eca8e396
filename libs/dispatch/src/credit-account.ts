/** What one turn of a pool may claim for a worker. */
export interface CreditShare {
  /** Jobs, at most. */
  max: number;
  /** Of those, into free slots; the rest is prefetch. */
  free: number;
}

/**
 * How many jobs a worker may still be given. The worker states totals since its Welcome, so nothing in flight is counted
 * twice; every claim reserves before it asks, so that several pools together never exceed it.
 */
export class CreditAccount {
  private granted = 0;
  private prefetch = 0;
  private assigned = 0;
  private reserved = 0;

  /** A total that is lower than an earlier one is ignored: what was granted may have been used. */
  grant(granted: number, prefetch: number): void {
    if (granted >= this.granted) {
      this.granted = granted;
      this.prefetch = Math.max(0, prefetch);
    }
  }

  /** What is neither assigned nor reserved. Free slots are filled first. */
  available(): CreditShare {
    const used = this.assigned + this.reserved;
    const max = Math.max(0, this.granted - used);
    return { max, free: Math.min(max, Math.max(0, this.granted - this.prefetch - used)) };
  }

  reserve(jobs: number): void {
    this.reserved += jobs;
  }

  /** A claim was answered: so many of the reserved were used. */
  use(reserved: number, assigned: number): void {
    this.reserved -= reserved;
    this.assigned += assigned;
  }
}
