import { openSync, readSync } from 'node:fs';

import { systemClock } from '@orchestrator/core';

const text = Buffer.alloc(64);
const file = openUptime();

/** It is exact to 10 ms only, and asked for before each start and each message. */
const READ_EVERY_MS = 1;
let known = 0;
let readAtMs = -Infinity;

/**
 * Milliseconds since boot on a clock that goes on while the machine is suspended, the same for all processes of the
 * machine; 10 ms exact. The lease is measured on it. Read anew after a millisecond of this process' monotonic clock, which
 * goes on while the process is stopped. Without `/proc` it is that clock.
 */
export function uptimeMs(): number {
  if (file === undefined) {
    return systemClock.monotonicMs();
  }
  const nowMs = systemClock.monotonicMs();
  if (nowMs - readAtMs >= READ_EVERY_MS) {
    const length = readSync(file, text, 0, text.length, 0);
    known = Math.round(Number.parseFloat(text.toString('latin1', 0, length)) * 1_000);
    readAtMs = nowMs;
  }
  return known;
}

function openUptime(): number | undefined {
  try {
    return openSync('/proc/uptime', 'r');
  } catch {
    return undefined;
  }
}
