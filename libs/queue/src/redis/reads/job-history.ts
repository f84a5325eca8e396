import { ATTEMPT_OUTCOMES, type AttemptEnd, type AttemptOutcome, type AttemptRecord } from '@orchestrator/core';

import { CorruptRecordError } from '../../errors.js';
import { parseObject } from './record-fields.js';

/** What an entry keeps of how an attempt ended: an AttemptEnd, or why it was lost or given back. */
type AttemptDetail = Partial<AttemptEnd> & { reason?: string };

/**
 * Reads an entry of h:ULID as `remember` of includes/job.lua writes it.
 * @throws {CorruptRecordError}
 */
export function parseAttempt(owner: string, entry: string): AttemptRecord {
  const fields = entry.split('\t');
  const [number, fence, worker, startedAt, finishedAt, outcome, detail] = fields;
  const numbers = [number, fence, startedAt, finishedAt].map(Number);
  const isOutcome = (ATTEMPT_OUTCOMES as readonly (string | undefined)[]).includes(outcome);
  if (fields.length !== 7 || !numbers.every(Number.isSafeInteger) || !isOutcome) {
    throw new CorruptRecordError(`${owner} has the history entry "${entry.slice(0, 60)}": expected seven fields`);
  }
  return {
    number: Number(number),
    fence: Number(fence),
    worker: worker ?? '',
    startedAt: Number(startedAt),
    finishedAt: Number(finishedAt),
    outcome: outcome as AttemptOutcome,
    ...toEnd(detail ? (parseObject(detail) ?? {}) : {}),
  };
}

/** How an attempt ended, as its record shows it. */
export function toEnd(detail: AttemptDetail): Pick<AttemptRecord, 'exitCode' | 'signal' | 'reason'> {
  return {
    exitCode: detail.exitCode ?? null,
    signal: detail.signal ?? null,
    reason: detail.reason ?? detail.failure?.reason ?? null,
  };
}
