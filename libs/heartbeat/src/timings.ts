import { InvalidValueError } from '@orchestrator/core';

export const HEARTBEAT_INTERVAL_MS = 3_000;
/** How long a worker may go on after the sending of its last acknowledged heartbeat. */
export const LEASE_MS = 12_000;
/** After so long without a renewal a session is dead. */
export const DEAD_AFTER_MS = 15_000;
/** In which an executor whose lease has run out has killed everything. */
export const KILL_TIME_MS = 1_000;
/** What a session is given beyond the lease that its Hello was granted: the time to kill, and room to spare. */
export const LEASE_MARGIN_MS = 3_000;
/** A worker whose acknowledged number lags this far behind is in half a partition: its stream is ended. */
export const ACKNOWLEDGEMENT_LAG = 3;
/** Without an acknowledgement for so many intervals a worker moves to its next scheduler. */
export const SILENT_INTERVALS = 2;
const LEASE_INTERVALS = 3;

export interface HeartbeatTimings {
  intervalMs: number;
  leaseMs: number;
  timeoutMs: number;
}

export const DEFAULT_TIMINGS: HeartbeatTimings = {
  intervalMs: HEARTBEAT_INTERVAL_MS,
  leaseMs: LEASE_MS,
  timeoutMs: DEAD_AFTER_MS,
};

/**
 * Nobody's jobs may be given away while he can still run them: when a session is declared dead its lease must be over
 * and its processes killed, with room for late timers. And one lost acknowledgement must not end a lease.
 * @throws {InvalidValueError} for heartbeat.interval, heartbeat.lease or heartbeat.timeout.
 */
export function requireSafeTimings(timings: HeartbeatTimings): void {
  const { intervalMs, leaseMs, timeoutMs } = timings;
  refuseUnless(intervalMs > 0, 'heartbeat.interval', intervalMs, 'more than 0 ms');
  refuseUnless(
    leaseMs >= LEASE_INTERVALS * intervalMs,
    'heartbeat.lease',
    leaseMs,
    `at least ${LEASE_INTERVALS} times heartbeat.interval (${LEASE_INTERVALS * intervalMs} ms), so that a lost heartbeat ends no lease`,
  );
  refuseUnless(
    timeoutMs >= leaseMs + LEASE_MARGIN_MS,
    'heartbeat.timeout',
    timeoutMs,
    `at least heartbeat.lease + ${LEASE_MARGIN_MS} ms (${leaseMs + LEASE_MARGIN_MS} ms: ${KILL_TIME_MS} ms to kill what runs, the rest to spare), so that no job is given away while its worker can still run it`,
  );
}

function refuseUnless(holds: boolean, key: string, valueMs: number, rule: string): void {
  if (!holds) {
    throw new InvalidValueError(key, `${key} is ${valueMs} ms: expected ${rule}`);
  }
}
