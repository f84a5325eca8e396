/** What one address, or one caller, has open. */
export class Crowd<T> {
  /** In the order in which they became idle. */
  readonly #idle = new Set<T>();
  /** In the order in which they became busy. */
  readonly #busy = new Set<T>();

  constructor(readonly address: string) {}

  get size(): number {
    return this.#idle.size + this.#busy.size;
  }

  has(one: T): boolean {
    return this.#idle.has(one) || this.#busy.has(one);
  }

  /** Those that have been idle for longest come first. */
  idle(): IterableIterator<T> {
    return this.#idle.values();
  }

  isIdle(one: T): void {
    this.#busy.delete(one);
    this.#idle.add(one);
  }

  isBusy(one: T): void {
    if (this.#idle.delete(one)) {
      this.#busy.add(one);
    }
  }

  remove(one: T): void {
    this.#idle.delete(one);
    this.#busy.delete(one);
  }

  longestIdle(but: T): T | undefined {
    for (const one of this.idle()) {
      if (one !== but) {
        return one;
      }
    }
    return undefined;
  }

  /** Looks at all of them: asked for only where nothing is idle. */
  newestBusy(): T | undefined {
    return [...this.#busy].at(-1);
  }
}

/** Knows at any moment which address has the most, however many addresses there are. */
export class Crowds<T> {
  readonly #byAddress = new Map<string, Crowd<T>>();
  readonly #bySize = new Map<number, Set<Crowd<T>>>();
  #largest = 0;

  of(address: string): Crowd<T> {
    return this.#byAddress.get(address) ?? new Crowd<T>(address);
  }

  add(crowd: Crowd<T>, one: T): void {
    this.#byAddress.set(crowd.address, crowd);
    this.#change(crowd, () => crowd.isIdle(one));
  }

  remove(crowd: Crowd<T>, one: T): void {
    this.#change(crowd, () => crowd.remove(one));
    if (crowd.size === 0) {
      this.#byAddress.delete(crowd.address);
    }
  }

  /** Of several with as many, this one. */
  largest(preferred: Crowd<T>): Crowd<T> {
    if (preferred.size === this.#largest) {
      return preferred;
    }
    const [first] = this.#bySize.get(this.#largest) ?? [];
    return first ?? preferred;
  }

  #change(crowd: Crowd<T>, change: () => void): void {
    const before = this.#bySize.get(crowd.size);
    before?.delete(crowd);
    if (before?.size === 0) {
      this.#bySize.delete(crowd.size);
    }
    change();
    if (crowd.size > 0) {
      const after = this.#bySize.get(crowd.size) ?? new Set();
      this.#bySize.set(crowd.size, after.add(crowd));
    }
    // One at a time comes or goes.
    this.#largest = Math.max(this.#largest, crowd.size);
    while (this.#largest > 0 && !this.#bySize.has(this.#largest)) {
      this.#largest -= 1;
    }
  }
}
