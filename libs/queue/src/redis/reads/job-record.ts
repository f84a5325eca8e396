import {
  type AttemptEnd,
  type AttemptRecord,
  isFinal,
  isJobState,
  type Job,
  type JobRule,
  type JobSpec,
  type JobState,
  toJobId,
} from '@orchestrator/core';

import { HISTORY_LIMIT } from '../../keys.js';
import { parseAttempt, toEnd } from './job-history.js';
import { type RecordFields, recordFields } from './record-fields.js';

/**
 * Makes a job of its stored hash and its earlier attempts. The current or final attempt is composed from the record's
 * fields, unless the history has it already (lost, given back, failed with a retry to come).
 * @throws {CorruptRecordError} when something else wrote there
 */
export function parseJob(
  address: { pool: string; ulid: string },
  hash: Readonly<Record<string, string>>,
  history: readonly string[],
): Job {
  const id = toJobId(address.pool, address.ulid);
  const fields = recordFields(`job ${id}`, hash);
  const state = parseState(fields);
  const spec = fields.json<JobSpec>('spec');
  const createdAt = fields.time('created');
  if (spec === null || createdAt === null) {
    throw fields.corrupt(spec === null ? 'spec' : 'created', 'a value');
  }
  const job = {
    id,
    pool: address.pool,
    spec,
    rule: fields.json<JobRule>('rule') ?? {},
    state,
    createdAt,
    queuedAt: fields.time('queued'),
    startedAt: fields.time('started'),
    finishedAt: isFinal(state) ? fields.time('finished') : null,
    cancelRequestedAt: fields.time('cancel'),
    dueAt: state === 'scheduled' ? fields.time('due') : null,
    scheduledFor: state === 'scheduled' ? parseWhy(fields) : null,
    worker: fields.text('worker'),
    session: fields.text('session'),
    attemptId: fields.text('attempt'),
    fence: fields.count('fence'),
    starts: fields.count('starts'),
    failures: fields.count('failures'),
    workerLosses: fields.count('losses'),
    end: isFinal(state) ? fields.json<AttemptEnd>('end') : null,
  };
  const attempts = history.map((entry) => parseAttempt(`job ${id}`, entry));
  const latest = composeLatest(job, attempts.at(-1)?.number);
  return { ...job, history: [...attempts, ...latest].slice(-HISTORY_LIMIT) };
}

function parseState(fields: RecordFields): JobState {
  const state = fields.text('state') ?? '';
  if (!isJobState(state)) {
    throw fields.corrupt('state', 'a state of a job');
  }
  return state;
}

/** A wait after a loss looks like any other wait before another attempt. */
function parseWhy(fields: RecordFields): 'delay' | 'backoff' {
  return fields.text('why') === 'delay' ? 'delay' : 'backoff';
}

function composeLatest(job: Omit<Job, 'history'>, remembered: number | undefined): AttemptRecord[] {
  const { state, starts, startedAt } = job;
  const isLatest = state === 'running' || isFinal(state);
  if (!isLatest || starts === 0 || starts === remembered || startedAt === null) {
    return [];
  }
  const outcome = state === 'succeeded' || state === 'failed' || state === 'cancelled' ? state : null;
  return [
    {
      number: starts,
      fence: job.fence,
      worker: job.worker ?? '',
      startedAt,
      finishedAt: job.finishedAt,
      outcome,
      ...toEnd(job.end ?? {}),
    },
  ];
}
