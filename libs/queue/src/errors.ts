import { type JobId, OrchestratorError } from '@orchestrator/core';

/**
 * Thrown when the store did not confirm a call in time, or could not be reached. `mayHaveExecuted` tells whether it can
 * have been carried out all the same (or still will be): whoever claimed must then ask its workers to say Hello again.
 */
export class StoreUnavailableError extends OrchestratorError {
  readonly mayHaveExecuted: boolean;

  constructor(message: string, options: { mayHaveExecuted: boolean; cause?: unknown }) {
    super('STORE_UNAVAILABLE', message, { cause: options.cause });
    this.mayHaveExecuted = options.mayHaveExecuted;
  }
}

/**
 * Thrown when the store has what was submitted, and it will run, but whether it has reached the durability that was asked
 * for was not confirmed in time. Submitting it again with the same ids asks again.
 */
export class DurabilityUnknownError extends OrchestratorError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('DURABILITY_UNKNOWN', message, options);
  }
}

/** Thrown when a later call of the same client overtook this one, or when a claim arrived twice: it did nothing. */
export class StaleCallError extends OrchestratorError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('STALE_CALL', message, options);
  }
}

/** Thrown when a page's cursor was not made by this store. */
export class InvalidCursorError extends OrchestratorError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('INVALID_CURSOR', message, options);
  }
}

/** Thrown when the data of a pool were written under another version of the schema: nothing was touched. */
export class SchemaMismatchError extends OrchestratorError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('SCHEMA_MISMATCH', message, options);
  }
}

/** Thrown when the store has no memory left for what is new: refused, nothing was written. */
export class StoreFullError extends OrchestratorError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('STORE_FULL', message, options);
  }
}

/** Thrown when a session has said Hello again since, or is dead: whoever asked speaks for what is over. */
export class StaleEpochError extends OrchestratorError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('STALE_EPOCH', message, options);
  }
}

/** Thrown when what is stored of a job or batch cannot be read: something else wrote it, or damaged it. */
export class CorruptRecordError extends OrchestratorError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('CORRUPT_RECORD', message, options);
  }
}

/** Thrown when a job that somebody waits for does not exist. */
export class JobNotFoundError extends OrchestratorError {
  constructor(message: string) {
    super('JOB_NOT_FOUND', message);
  }
}

/** Thrown when a job was not final in time. It goes on. */
export class WaitTimeoutError extends OrchestratorError {
  constructor(message: string) {
    super('WAIT_TIMEOUT', message);
  }
}

/** Thrown when some of many jobs were written and then no more. `added` will run; what is not in it may have been written. */
export class PartlyAddedError extends OrchestratorError {
  readonly added: readonly JobId[];

  constructor(message: string, options: { added: readonly JobId[]; cause: unknown }) {
    super('PARTLY_ADDED', message, { cause: options.cause });
    this.added = options.added;
  }
}

/** Thrown when a queue is used after `close`. */
export class QueueClosedError extends OrchestratorError {
  constructor(message: string) {
    super('QUEUE_CLOSED', message);
  }
}
