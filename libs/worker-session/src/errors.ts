import { OrchestratorError } from '@orchestrator/core';

/** Thrown when a scheduler refuses this worker: its join token, its certificate or its id. Trying again would not help. */
export class JoinRefusedError extends OrchestratorError {
  constructor(
    readonly address: string,
    detail: string,
  ) {
    super('JOIN_REFUSED', `the scheduler at ${address} refused this worker: ${detail}`);
  }
}

/** Thrown when what runs attempts, its executor above all, could not be started again and again. */
export class RunnerStartError extends OrchestratorError {
  constructor(limitMs: number, detail: string, options?: { cause?: unknown }) {
    super('RUNNER_START', `nothing that runs jobs could be started for ${limitMs} ms; at last: ${detail}`, options);
  }
}
