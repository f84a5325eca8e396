import type { PoolRecovery } from '../../store.js';

/** What includes/recovery answers: nothing, or begun, server, the least time left, and who is awaited. */
export function toRecovery(raw: unknown): PoolRecovery | undefined {
  const [begun, runId, notBeforeMs, ...awaited] = raw as [number?, string?, number?, ...string[]];
  return runId === undefined ? undefined : { begun: begun === 1, runId, awaited, notBeforeMs: Number(notBeforeMs) };
}
