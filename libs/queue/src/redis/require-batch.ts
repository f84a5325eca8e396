import { InvalidValueError } from '@orchestrator/core';

import { MAX_BATCH } from '../store.js';

/** @throws {InvalidValueError} when there are more than one script call may move. */
export function requireBatch(path: string, list: readonly unknown[]): void {
  if (list.length > MAX_BATCH) {
    throw new InvalidValueError(path, `${path} has ${list.length} entries: expected at most ${MAX_BATCH} a call`);
  }
}
