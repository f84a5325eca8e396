import { fullJitterMs, InvalidValueError, type Random } from '@orchestrator/core';

export const FIRST_BACKOFF_MS = 100;
/** Well below what a lease leaves after a restart of the only scheduler: work would be killed for nothing. */
export const MAX_BACKOFF_MS = 1_000;
/** A host that is gone answers nothing at all: so long for it, and a lease of 12 s has room for several of them. */
export const QUICK_CONNECT_MS = 2_000;

/**
 * Which scheduler to dial, and how long to wait before. Shared by all sessions of a worker.
 *
 * Each worker takes the addresses in turn, in an order of its own: workers with the same list spread over it, and those
 * of a scheduler that is gone spread over the others. None is dialed more often than another.
 */
export class Dialing {
  private readonly addresses: readonly string[];
  private index = 0;
  /** Links that have ended since the last welcome. */
  private failures = 0;

  constructor(
    addresses: readonly string[],
    private readonly random: Random,
  ) {
    if (addresses.length === 0) {
      throw new InvalidValueError('schedulers', 'schedulers is empty: expected at least one host:port');
    }
    this.addresses = shuffled([...new Set(addresses)], random);
  }

  get address(): string {
    return this.addresses[this.index % this.addresses.length] ?? '';
  }

  /**
   * How long a dial may take until there is a connection; undefined: as long as the wait for a Welcome. In the first
   * round only: where none of them could be reached so, the way there is slow (a name server, lost packets).
   */
  get connectLimitMs(): number | undefined {
    const { length } = this.addresses;
    return length > 1 && this.failures <= length ? QUICK_CONNECT_MS : undefined;
  }

  welcomed(): void {
    this.failures = 0;
  }

  /** The link is over: the next address, after a wait with full jitter that grows with each round without a welcome. */
  next(): number {
    this.index += 1;
    return this.wait();
  }

  /** The same address again. */
  again(): number {
    return this.wait();
  }

  private wait(): number {
    const round = Math.floor(this.failures / this.addresses.length);
    const limit = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(round, 30));
    this.failures += 1;
    return fullJitterMs(this.random, limit);
  }
}

function shuffled(items: string[], random: Random): string[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [items[i], items[j]] = [items[j] as string, items[i] as string];
  }
  return items;
}
