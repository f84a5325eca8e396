import { OrchestratorError } from '@orchestrator/core';
import { replyCode } from '@orchestrator/redis';

import {
  SchemaMismatchError,
  StaleCallError,
  StaleEpochError,
  StoreFullError,
  StoreUnavailableError,
} from '../errors.js';

/** Answers that say: not now, and nothing was done. */
const NOT_NOW = new Set([
  'LOADING', // starting, reads its file
  'READONLY', // a replica: the connection is about to move on
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN', // the slot is moving
  'BUSY', // another script takes too long
  'MISCONF', // cannot write its file
  'NOREPLICAS',
]);

/** Answers that say: not you. Somebody has to repair the configuration. */
const NOT_ALLOWED = new Set(['NOAUTH', 'NOPERM', 'WRONGPASS']);

/** What ioredis says of a command that it has not written to a socket. */
const NOT_SENT = /^Stream isn't writeable/;

/** How a call failed: `final` is thrown at once; otherwise it may be sent again, if it may be executed twice at all. */
export type CallFailure =
  { kind: 'final'; error: unknown } | { kind: 'not_executed'; error: unknown } | { kind: 'unknown'; error: unknown };

export function toCallFailure(what: string, error: unknown): CallFailure {
  const code = replyCode(error);
  if (code === undefined) {
    if (isOurOwn(error)) {
      return { kind: 'final', error };
    }
    return { kind: error instanceof Error && NOT_SENT.test(error.message) ? 'not_executed' : 'unknown', error };
  }
  const message = `${what}: ${(error as Error).message}`;
  switch (code) {
    case 'OOM':
      return { kind: 'final', error: new StoreFullError(message, { cause: error }) };
    case 'STALE_OP':
      return { kind: 'final', error: new StaleCallError(message, { cause: error }) };
    case 'STALE_EPOCH':
      return { kind: 'final', error: new StaleEpochError(message, { cause: error }) };
    case 'SCHEMA':
      return { kind: 'final', error: new SchemaMismatchError(message, { cause: error }) };
    default:
      if (NOT_NOW.has(code)) {
        return { kind: 'not_executed', error };
      }
      return { kind: 'final', error: NOT_ALLOWED.has(code) ? toUnavailable(what, error, false) : error };
  }
}

/** A defect, or what a reader found damaged: asking again would only hide it. */
function isOurOwn(error: unknown): boolean {
  const isDefect = error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
  const isReply = error instanceof Error && error.name === 'ReplyError';
  return isDefect || isReply || error instanceof OrchestratorError;
}

export function toUnavailable(what: string, cause: unknown, mayHaveExecuted: boolean): StoreUnavailableError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StoreUnavailableError(`${what} was not confirmed by the store: ${why}`, { mayHaveExecuted, cause });
}
