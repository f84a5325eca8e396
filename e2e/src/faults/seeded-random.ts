import { createHash } from 'node:crypto';

const LARGEST = 2 ** 32;

/** Numbers that are the same for the same seed: mulberry32. */
export class SeededRandom {
  #state: number;

  constructor(readonly seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to 1, without 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / LARGEST;
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) {
      throw new Error('nothing to pick from');
    }
    return item;
  }

  /** Independent of how many numbers others took: a scenario's moments do not depend on which ran before it. */
  static named(seed: number, name: string): SeededRandom {
    return new SeededRandom(createHash('sha256').update(`${seed}/${name}`).digest().readUInt32BE(0));
  }
}
