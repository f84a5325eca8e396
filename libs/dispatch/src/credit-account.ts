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
  private total = 0;
  private beyond = 0;
  private assigned = 0;
  private reserved = 0;

  get granted(): number {
    return this.total;
  }

  /** How many of those not yet assigned lie beyond the free slots. */
  get prefetch(): number {
    return this.beyond;
  }

  /** Reserved by claims that are not answered yet. */
  get underWay(): number {
    return this.reserved;
  }

  /** A total that is lower than an earlier one is ignored: what was granted may have been used. */
  grant(granted: number, prefetch: number): void {
    if (granted >= this.total) {
      this.total = granted;
      this.beyond = Math.max(0, prefetch);
    }
  }

  /** What is neither assigned nor reserved. Free slots are filled first. */
  available(): CreditShare {
    const used = this.assigned + this.reserved;
    const max = Math.max(0, this.total - used);
    return { max, free: Math.min(max, Math.max(0, this.total - this.beyond - used)) };
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
