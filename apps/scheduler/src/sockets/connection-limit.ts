import { readFileSync } from 'node:fs';

/** More than this one scheduler does not serve in any case. */
export const MAX_CONNECTIONS = 10_000;
/** For Redis, files, child processes and whatever is being closed. */
const RESERVED_FILES = 100;
/** A scheduler that may open next to nothing still answers somebody. */
const MIN_CONNECTIONS = 16;
/** HTTP and gRPC. */
const PORTS = 2;

/**
 * How many connections each port may have, so that accepting one never fails for want of a descriptor: at that point the
 * way to Redis could not be renewed either. Where the limit of the process cannot be read, `MAX_CONNECTIONS`.
 */
export function connectionLimit(openFiles: number | undefined = maxOpenFiles()): number {
  if (openFiles === undefined) {
    return MAX_CONNECTIONS;
  }
  const each = Math.floor((openFiles - RESERVED_FILES) / PORTS);
  return Math.min(MAX_CONNECTIONS, Math.max(MIN_CONNECTIONS, each));
}

/** The soft limit; Node raises it to the hard one when it starts. */
function maxOpenFiles(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
