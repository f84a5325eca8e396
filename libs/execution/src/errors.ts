import { OrchestratorError } from '@orchestrator/core';

/** Thrown when the executor's process could not be started or did not answer in time. */
export class ExecutorStartError extends OrchestratorError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('EXECUTOR_START', message, options);
  }
}

/** Thrown when the module with the handlers could not be loaded. */
export class HandlerLoadError extends OrchestratorError {
  constructor(
    readonly modulePath: string,
    detail: string,
  ) {
    super('HANDLER_LOAD', `the handlers' module ${JSON.stringify(modulePath)} could not be loaded: ${detail}`);
  }
}
