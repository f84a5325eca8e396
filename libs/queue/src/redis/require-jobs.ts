import { InvalidValueError, MAX_PRIORITY, MIN_PRIORITY, ULID_PATTERN } from '@orchestrator/core';

import type { NewJob } from '../store.js';

/** The last instant that a JavaScript date knows. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/**
 * Refuses what a script would stumble over half way, since Lua has no rollback: users' input was checked long before.
 * @throws {InvalidValueError} with the path of the field
 */
export function requireJobs(jobs: readonly NewJob[]): void {
  // Paths are written for who is refused: for each job that is not they would cost as much as all the rest.
  jobs.forEach((job, i) => {
    const refuse = (field: string, is: string, expected: string): never => {
      const path = `jobs[${i}].${field}`;
      throw new InvalidValueError(path, `${path} is ${is}: expected ${expected}`);
    };
    if (!ULID_PATTERN.test(job.ulid)) {
      refuse('ulid', `"${job.ulid}"`, 'a ULID');
    }
    if (!Number.isInteger(job.priority) || job.priority < MIN_PRIORITY || job.priority > MAX_PRIORITY) {
      refuse('priority', String(job.priority), `a whole number from ${MIN_PRIORITY} to ${MAX_PRIORITY}`);
    }
    requireTime('delayMs', job.delayMs, refuse);
    requireTime('runAtMs', job.runAtMs, refuse);
    requireFinite('rule', job.rule, refuse);
  });
}

type Refuse = (field: string, is: string, expected: string) => never;

function requireTime(field: string, value: number | undefined, refuse: Refuse): void {
  if (value !== undefined && !(value >= 0 && value <= MAX_TIME_MS)) {
    refuse(field, String(value), 'milliseconds');
  }
}

/** JSON has no NaN and no Infinity: they become null, with which Lua cannot count. */
function requireFinite(field: string, value: unknown, refuse: Refuse): void {
  if (value === null || (typeof value === 'number' && !Number.isFinite(value))) {
    refuse(field, String(value), 'a finite number');
  }
  if (typeof value === 'object') {
    for (const name in value) {
      requireFinite(`${field}.${name}`, (value as Record<string, unknown>)[name], refuse);
    }
  }
}
