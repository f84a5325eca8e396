import { InvalidValueError } from './errors.js';

/** A duration as users write it: a number of seconds (fractions allowed) or a string with its unit. */
export type Duration = number | string;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What a duration string looks like; the same pattern stands in the REST schemas. */
export const DURATION_PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/**
 * Converts a duration to whole milliseconds (rounded, but never down to 0, which means "none" of a timeout). A plain
 * number, also as a string, is seconds.
 * @throws {InvalidValueError} when it is negative, not finite, or has no unit that is known.
 */
export function parseDurationMs(value: Duration, path = 'duration'): number {
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || value < 0) {
      throw new InvalidValueError(path, `${path} is ${value}: expected seconds, zero or more`);
    }
    return toWholeMs(value * 1_000);
  }
  if (/^\d+(\.\d+)?$/.test(value)) {
    return toWholeMs(Number(value) * 1_000);
  }
  const match = DURATION_PATTERN.exec(value);
  if (!match) {
    throw new InvalidValueError(
      path,
      `${path} is "${value}": expected seconds or a number with ms, s, m, h or d, as in "500ms" or "15m"`,
    );
  }
  return toWholeMs(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]);
}

function toWholeMs(ms: number): number {
  return ms > 0 ? Math.max(1, Math.round(ms)) : 0;
}
