import { fullJitterMs, InvalidValueError, type Random } from '@orchestrator/core';

export const FIRST_BACKOFF_MS = 100;
/** Well below what a lease leaves after a restart of the only scheduler: work would be killed for nothing. */
export const MAX_BACKOFF_MS = 1_000;

/** Which scheduler to dial, and how long to wait before. Shared by all sessions of a worker. */
export class Dialing {
  private index = 0;
  private failures = 0;

  constructor(
    private readonly addresses: readonly string[],
    private readonly random: Random,
  ) {
    if (addresses.length === 0) {
      throw new InvalidValueError('schedulers', 'schedulers is empty: expected at least one host:port');
    }
  }

  get address(): string {
    return this.addresses[this.index % this.addresses.length] ?? '';
  }

  welcomed(): void {
    this.failures = 0;
  }

  /** The link is over: the next address, after a wait with full jitter that grows while nobody welcomes us. */
  next(): number {
    this.index += 1;
    return this.wait();
  }

  /** The same address again. */
  again(): number {
    return this.wait();
  }

  private wait(): number {
    const limit = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(this.failures, 30));
    this.failures += 1;
    return fullJitterMs(this.random, limit);
  }
}
