import { DEATH_REASONS, type Death, type DeathReason, type SessionInfo, type SessionRecord } from '../registry.js';

/** What HGETALL answers inside a script: field, value, field, value. */
export type FlatFields = readonly string[];

export function toFields(flat: FlatFields): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) {
    fields[flat[i] as string] = flat[i + 1] as string;
  }
  return fields;
}

/** What of a session's hash makes its record. */
export const SESSION_FIELDS = [
  'state',
  'worker',
  'epoch',
  'first',
  'hello',
  'lease',
  'renewals',
  'draining',
  'scheduler',
  'slots',
  'free',
  'load',
  'memoryUsed',
  'memoryTotal',
  'wedged',
  'started',
  'renewed',
  'reason',
  'died',
  'losses',
  'info',
] as const;

/**
 * A session's hash: state, worker, epoch, first (its first epoch), hello (the highest number), lease, renewals, draining
 * ("0" | "1"), scheduler, info (JSON), slots, free, load, memoryUsed, memoryTotal, wedged ("0" | "1"), started,
 * renewed, by (who superseded it); of a dead one: reason, died, losses. Answers undefined for an empty one.
 */
export function parseSession(session: string, fields: Record<string, string>): SessionRecord | undefined {
  if (fields['state'] === undefined) {
    return undefined;
  }
  const number = (name: string): number => Number(fields[name] ?? 0);
  const info = parseInfo(fields['info'], number('slots'));
  const state = fields['state'] as SessionRecord['state'];
  const worker = fields['worker'] ?? '';
  return {
    session,
    worker,
    state,
    epoch: number('epoch'),
    firstEpoch: number('first'),
    helloNumber: number('hello'),
    leaseMs: number('lease'),
    renewals: number('renewals'),
    draining: fields['draining'] === '1',
    scheduler: fields['scheduler'] ?? '',
    info,
    freeSlots: number('free'),
    load: number('load'),
    memoryUsedBytes: number('memoryUsed'),
    memoryTotalBytes: number('memoryTotal'),
    startedAt: number('started'),
    lastRenewedAt: number('renewed'),
    wedged: fields['wedged'] === '1',
    death: state === 'dead' ? parseDeath(session, worker, info, fields) : undefined,
  };
}

function parseInfo(json: string | undefined, slots: number): SessionInfo {
  const empty: SessionInfo = { pools: [], slots, labels: {}, version: '', host: '', pid: 0 };
  return json ? { ...empty, ...(JSON.parse(json) as SessionInfo) } : empty;
}

function parseDeath(session: string, worker: string, info: SessionInfo, fields: Record<string, string>): Death {
  const reason = fields['reason'] as DeathReason;
  return {
    session,
    worker,
    pools: info.pools,
    losses: Number(fields['losses']),
    reason: DEATH_REASONS.includes(reason) ? reason : 'silent',
    declaredAt: Number(fields['died']),
  };
}
