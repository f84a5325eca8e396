import { openSync, readSync } from 'node:fs';

import { systemClock } from '@orchestrator/core';

const text = Buffer.alloc(64);
const file = openUptime();

/**
 * Milliseconds since boot on a clock that goes on while the machine is suspended, the same for all processes of the
 * machine; 10 ms exact. The lease is measured on it. Without `/proc` it is this process' monotonic clock.
 */
export function uptimeMs(): number {
  if (file === undefined) {
    return systemClock.monotonicMs();
  }
  const length = readSync(file, text, 0, text.length, 0);
  return Math.round(Number.parseFloat(text.toString('latin1', 0, length)) * 1_000);
}

function openUptime(): number | undefined {
  try {
    return openSync('/proc/uptime', 'r');
  } catch {
    return undefined;
  }
}
