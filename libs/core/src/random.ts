import { randomBytes, randomInt } from 'node:crypto';

/** Randomness comes in through constructors, so that a simulation can replay it. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number): string;
}

export const systemRandom: Random = {
  next: () => randomInt(0, 2 ** 48 - 1) / 2 ** 48,
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};

/** Full jitter: a whole number of milliseconds in [0, maxMs]. */
export function fullJitterMs(random: Random, maxMs: number): number {
  return Math.floor(random.next() * (maxMs + 1));
}
