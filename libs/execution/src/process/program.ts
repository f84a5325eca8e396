import type { AttemptToRun } from '../executor.js';

export const SHELL = '/bin/sh';

/** The file to execute and its arguments. */
export function toProgram(attempt: AttemptToRun): [string, string[]] {
  if (attempt.command !== undefined) {
    return [SHELL, ['-c', attempt.command]];
  }
  const [file = '', ...args] = attempt.argv ?? [];
  return [file, args];
}
