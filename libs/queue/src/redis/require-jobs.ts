import { InvalidValueError, MAX_PRIORITY, MIN_PRIORITY, ULID_PATTERN } from '@orchestrator/core';

import type { NewJob } from '../store.js';

/** The last instant that a JavaScript date knows. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/**
 * Refuses what a script would stumble over half way, since Lua has no rollback: users' input was checked long before.
 * @throws {InvalidValueError} with the path of the field
 */
export function requireJobs(jobs: readonly NewJob[]): void {
  jobs.forEach((job, i) => {
    const at = `jobs[${i}]`;
    if (!ULID_PATTERN.test(job.ulid)) {
      throw new InvalidValueError(`${at}.ulid`, `${at}.ulid is "${job.ulid}": expected a ULID`);
    }
    if (!Number.isInteger(job.priority) || job.priority < MIN_PRIORITY || job.priority > MAX_PRIORITY) {
      const expected = `a whole number from ${MIN_PRIORITY} to ${MAX_PRIORITY}`;
      throw new InvalidValueError(`${at}.priority`, `${at}.priority is ${job.priority}: expected ${expected}`);
    }
    for (const field of ['delayMs', 'runAtMs'] as const) {
      const value = job[field];
      if (value !== undefined && !(value >= 0 && value <= MAX_TIME_MS)) {
        throw new InvalidValueError(`${at}.${field}`, `${at}.${field} is ${value}: expected milliseconds`);
      }
    }
    requireFinite(job.rule, `${at}.rule`);
  });
}

/** JSON has no NaN and no Infinity: they become null, with which Lua cannot count. */
function requireFinite(value: unknown, path: string): void {
  if (value === null || (typeof value === 'number' && !Number.isFinite(value))) {
    throw new InvalidValueError(path, `${path} is ${String(value)}: expected a finite number`);
  }
  if (typeof value === 'object') {
    Object.entries(value).forEach(([name, field]) => requireFinite(field, `${path}.${name}`));
  }
}
