import { OrchestratorError } from '@orchestrator/core';

/** Thrown when no majority of the nodes could be asked: nobody knows who holds the lock. */
export class LockUnavailableError extends OrchestratorError {
  constructor(name: string, cause: unknown) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    super('LOCK_UNAVAILABLE', `no majority of the nodes answered about lock "${name}": ${detail}`, { cause });
  }
}

/** The reason of a lease's signal: it can no longer be trusted, or it was given back. */
export class LeaseEndedError extends OrchestratorError {
  constructor(
    name: string,
    readonly why: 'lost' | 'expired' | 'released',
  ) {
    super('LEASE_ENDED', `the lease on "${name}" has ended: ${why}`);
  }
}
