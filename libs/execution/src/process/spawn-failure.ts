import { statSync } from 'node:fs';

import type { AttemptToRun } from '../executor.js';

export interface SpawnFailure {
  message: string;
  /** Another try, perhaps on another machine, may find it different. */
  retryable: boolean;
}

const DESCRIPTIONS: Record<string, { text: string; retryable: boolean }> = {
  EACCES: { text: 'is not executable by this worker', retryable: true },
  ENOENT: { text: 'was not found', retryable: true },
  E2BIG: { text: 'is too large together with its environment', retryable: false },
  ENOEXEC: { text: 'is not a program', retryable: true },
  EAGAIN: { text: 'could not start: no more processes are allowed', retryable: true },
  EMFILE: { text: 'could not start: the executor has too many files open', retryable: true },
  ENFILE: { text: 'could not start: the machine has too many files open', retryable: true },
  ENOMEM: { text: 'could not start: no memory', retryable: true },
};

const SHOWN_CHARS = 200;

/** A sentence that names what could not be started, where, and why. */
export function toSpawnFailure(error: unknown, attempt: AttemptToRun, cwd: string): SpawnFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const cwdProblem = describeCwd(cwd);
  if (cwdProblem !== undefined && code !== 'E2BIG') {
    return { message: `the working directory ${JSON.stringify(cwd)} ${cwdProblem}`, retryable: true };
  }
  const name =
    attempt.argv === undefined ? 'the command' : `the program ${JSON.stringify(shortened(attempt.argv[0] ?? ''))}`;
  const known = DESCRIPTIONS[code];
  return known === undefined
    ? {
        message: `${name} could not start: ${error instanceof Error ? shortened(error.message) : code}`,
        retryable: false,
      }
    : { message: `${name} ${known.text} (${code})`, retryable: known.retryable };
}

function describeCwd(cwd: string): string | undefined {
  try {
    return statSync(cwd).isDirectory() ? undefined : 'is not a directory';
  } catch (error) {
    return `cannot be used (${error instanceof Error && 'code' in error ? String(error.code) : 'error'})`;
  }
}

function shortened(text: string): string {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
