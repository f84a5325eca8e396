import { InvalidValueError } from '@orchestrator/core';

import type { QueueJob } from './queue-job.js';

type BackoffField = keyof NonNullable<QueueJob['backoff']>;

// As objects, so that the compiler misses what is missing here.
const FIELDS: Readonly<Record<keyof QueueJob, true>> = {
  command: true,
  argv: true,
  handler: true,
  data: true,
  priority: true,
  timeout: true,
  killGrace: true,
  onLeaseLost: true,
  freezeLimit: true,
  env: true,
  cwd: true,
  stdin: true,
  labels: true,
  delay: true,
  runAt: true,
  attempts: true,
  maxWorkerLosses: true,
  backoff: true,
  noRetryExitCodes: true,
  retain: true,
};
const BACKOFF_FIELDS: Readonly<Record<BackoffField, true>> = {
  type: true,
  delay: true,
  factor: true,
  maxDelay: true,
  jitter: true,
};

/**
 * A mistyped `atempts` would otherwise be a job that is never tried again.
 * @throws {InvalidValueError} naming the first field that a job does not have
 */
export function requireKnownFields(job: QueueJob): void {
  requireKnown(job, FIELDS, '');
  requireKnown(job.backoff ?? {}, BACKOFF_FIELDS, 'backoff.');
}

function requireKnown(object: object, known: Readonly<Record<string, true>>, prefix: string): void {
  const field = Object.keys(object).find((name) => !Object.hasOwn(known, name));
  if (field !== undefined) {
    const path = `${prefix}${field}`;
    const expected = Object.keys(known).join(', ');
    throw new InvalidValueError(path, `${path} is not a field that a job has: expected one of ${expected}`);
  }
}
