import { OrchestratorError } from '@orchestrator/core';

/** Thrown when a leader speaks with a term after a higher one was minted: somebody else leads. */
export class StaleTermError extends OrchestratorError {
  constructor(detail: string) {
    super('STALE_TERM', detail);
  }
}

/** Thrown when a verdict reaches another Redis server than the one it was judged on (restart or failover). */
export class OtherServerError extends OrchestratorError {
  constructor(detail: string) {
    super('OTHER_SERVER', detail);
  }
}

/** Thrown when Redis did not confirm a call. It may have been executed all the same, and may be repeated. */
export class RegistryUnavailableError extends OrchestratorError {
  constructor(what: string, cause: unknown) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    super('REGISTRY_UNAVAILABLE', `the registry of sessions did not confirm "${what}": ${detail}`, { cause });
  }
}
