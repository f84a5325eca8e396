import { readFileSync } from 'node:fs';

/**
 * Milliseconds since the boot, to 10 ms: the one clock that commands (`read up idle < /proc/uptime`), these tests and
 * the executor's lease share, and that nobody sets.
 */
export function uptimeMs(): number {
  return Math.round(Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1_000);
}
