import type { Random } from '@orchestrator/core';

/** Waits between repetitions: doubled each time, half of it random, back to the first after a success. */
export class RetryDelay {
  private failures = 0;

  constructor(
    private readonly random: Random,
    private readonly limits: { firstMs: number; maxMs: number } = { firstMs: 100, maxMs: 2_000 },
  ) {}

  next(): number {
    const { firstMs, maxMs } = this.limits;
    const full = Math.min(firstMs * 2 ** Math.min(this.failures, 16), maxMs);
    this.failures += 1;
    return full / 2 + (full / 2) * this.random.next();
  }

  reset(): void {
    this.failures = 0;
  }
}
