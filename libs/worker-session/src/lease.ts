/**
 * How long this worker may trust that what it holds is its own: from the *sending* of the last acknowledged heartbeat
 * (or Hello), on a clock that goes on while the machine is suspended.
 */
export class Lease {
  private until = -Infinity;

  constructor(private readonly uptimeMs: () => number) {}

  now(): number {
    return this.uptimeMs();
  }

  grant(sentAtUptimeMs: number, leaseMs: number): void {
    this.until = Math.max(this.until, sentAtUptimeMs + leaseMs);
  }

  /** On the uptime clock. */
  get untilMs(): number {
    return this.until;
  }

  get valid(): boolean {
    return this.uptimeMs() < this.until;
  }

  /** Milliseconds left; zero when it has run out. */
  remainingMs(): number {
    return Math.max(0, this.until - this.uptimeMs());
  }
}
