import { OrchestratorError } from '@orchestrator/core';

/** Thrown when a scheduler refuses this worker's join token. Trying again would not help. */
export class JoinRefusedError extends OrchestratorError {
  constructor(
    readonly address: string,
    detail: string,
  ) {
    super('JOIN_REFUSED', `the scheduler at ${address} refused the join token of this worker: ${detail}`);
  }
}
