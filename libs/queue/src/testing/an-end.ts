import type { AttemptEnd } from '@orchestrator/core';

import type { AttemptKey, ClaimedJob, GiveBack, Settlement } from '../store.js';

type Held = Pick<ClaimedJob, 'ulid' | 'attemptId' | 'fence'>;

function keyOf(job: Held): AttemptKey {
  return { ulid: job.ulid, attemptId: job.attemptId, fence: job.fence };
}

function anEnd(overrides: Partial<AttemptEnd>): AttemptEnd {
  const output = { stdoutBytes: 0, stderrBytes: 0, truncated: false };
  return { exitCode: 0, signal: null, failure: null, output, ...overrides };
}

export function success(job: Held, overrides: Partial<Settlement> = {}): Settlement {
  const end = anEnd({});
  return { ...keyOf(job), outcome: 'succeeded', end, retryable: true, wasFrozen: false, output: [], ...overrides };
}

export function failure(job: Held, overrides: Partial<Settlement> & { exitCode?: number } = {}): Settlement {
  const { exitCode = 1, ...rest } = overrides;
  const end = anEnd({ exitCode, failure: { reason: 'exit_code', message: `exit code ${exitCode}` } });
  return success(job, { outcome: 'failed', end, ...rest });
}

export function cancellation(job: Held): Settlement {
  const failed = { reason: 'cancelled', message: 'cancelled on request' } as const;
  return success(job, { outcome: 'cancelled', end: anEnd({ exitCode: null, signal: 'SIGTERM', failure: failed }) });
}

export function returned(job: Held, overrides: Partial<GiveBack> = {}): GiveBack {
  return { ...keyOf(job), reason: 'unstarted', started: false, ...overrides };
}
