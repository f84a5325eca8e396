import type { SessionRecord } from './registry.js';
import { HEARTBEAT_INTERVAL_MS, SILENT_INTERVALS } from './timings.js';

/**
 * Has not been renewed for more than two intervals: shown as suspect, nothing new is assigned to it. Compares Redis'
 * time with Redis' time (`RegistryLook.now`); it decides nothing about life and death.
 */
export function isSuspect(
  record: Pick<SessionRecord, 'state' | 'lastRenewedAt'>,
  now: number,
  intervalMs: number = HEARTBEAT_INTERVAL_MS,
): boolean {
  return record.state !== 'dead' && now - record.lastRenewedAt > SILENT_INTERVALS * intervalMs;
}
