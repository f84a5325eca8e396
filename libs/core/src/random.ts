import { randomBytes, randomInt } from 'node:crypto';

/** Randomness comes in through constructors, so that a simulation can replay it. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number): string;
}

/** Bytes that are asked for at once: a call of OpenSSL costs as much for eight of them, and more than all else of an id. */
const AHEAD = 4_096;
let ahead: Buffer = Buffer.alloc(0);
let used = 0;

function hex(bytes: number): string {
  if (bytes > AHEAD) {
    return randomBytes(bytes).toString('hex');
  }
  if (used + bytes > ahead.length) {
    ahead = randomBytes(AHEAD);
    used = 0;
  }
  const text = ahead.toString('hex', used, used + bytes);
  ahead.fill(0, used, used + bytes); // it may be a secret
  used += bytes;
  return text;
}

export const systemRandom: Random = {
  next: () => randomInt(0, 2 ** 48 - 1) / 2 ** 48,
  hex,
};

/** Full jitter: a whole number of milliseconds in [0, maxMs]. */
export function fullJitterMs(random: Random, maxMs: number): number {
  return Math.floor(random.next() * (maxMs + 1));
}
