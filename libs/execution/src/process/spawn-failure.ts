import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

import type { AttemptToRun } from '../executor.js';

export interface SpawnFailure {
  message: string;
  /** Another try, perhaps on another machine, may find it different. */
  retryable: boolean;
  /** Nothing the job asked for is the reason: it is not to fail for it. */
  isMachines: boolean;
}

interface Description {
  text: string;
  retryable: boolean;
  isMachines?: true;
}

const DESCRIPTIONS: Record<string, Description> = {
  EACCES: { text: 'is not executable by this worker', retryable: true },
  ENOENT: { text: 'was not found', retryable: true },
  E2BIG: { text: 'is too large together with its environment', retryable: false },
  ENOEXEC: { text: 'is not a program', retryable: true },
  EAGAIN: { text: 'could not start: no more processes are allowed', retryable: true, isMachines: true },
  EMFILE: { text: 'could not start: the executor has too many files open', retryable: true, isMachines: true },
  ENFILE: { text: 'could not start: the machine has too many files open', retryable: true, isMachines: true },
  ENOMEM: { text: 'could not start: no memory', retryable: true, isMachines: true },
};

const SHOWN_CHARS = 200;

/** A sentence that names what could not be started, where, and why. */
export function toSpawnFailure(error: unknown, attempt: AttemptToRun, cwd: string): SpawnFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known = DESCRIPTIONS[code];
  const cwdProblem = code === 'E2BIG' || known?.isMachines ? undefined : describeDirectory(cwd);
  if (cwdProblem !== undefined) {
    const message = `the working directory ${JSON.stringify(cwd)} ${cwdProblem}`;
    return { message, retryable: true, isMachines: attempt.cwd === undefined };
  }
  const program = attempt.argv?.[0];
  const name = attempt.argv === undefined ? 'the command' : `the program ${JSON.stringify(shortened(program ?? ''))}`;
  if (code === 'ENOENT' && program?.includes('/') && existsSync(resolve(cwd, program))) {
    return { message: `${name} names an interpreter that was not found (${code})`, retryable: true, isMachines: false };
  }
  return known === undefined
    ? {
        message: `${name} could not start: ${error instanceof Error ? shortened(error.message) : code}`,
        retryable: false,
        isMachines: false,
      }
    : { message: `${name} ${known.text} (${code})`, retryable: known.retryable, isMachines: known.isMachines === true };
}

/** Why nothing can be started there; undefined when something can. */
export function describeDirectory(path: string): string | undefined {
  try {
    if (!statSync(path).isDirectory()) {
      return 'is not a directory';
    }
    accessSync(path, constants.X_OK);
    return undefined;
  } catch (error) {
    return `cannot be used (${error instanceof Error && 'code' in error ? String(error.code) : 'error'})`;
  }
}

function shortened(text: string): string {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
