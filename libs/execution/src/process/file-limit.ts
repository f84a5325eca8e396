import { readFileSync } from 'node:fs';

/** Not for commands' output: what looks through `/proc`, writes a stdin or starts the guard again needs them. */
const RESERVED = 16;

/** The highest number that a command's pipe may have here; the lowest free one is always taken, so it tells how many are open. */
export const HIGHEST_PIPE = readLimit() - RESERVED;

function readLimit(): number {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return limit === undefined ? Infinity : Number(limit);
  } catch {
    return Infinity;
  }
}
