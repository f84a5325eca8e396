import { OrchestratorError } from '@orchestrator/core';

/** Thrown when the executor's process could not be started or did not answer in time. */
export class ExecutorStartError extends OrchestratorError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('EXECUTOR_START', message, options);
  }
}

/** Thrown when `/proc` cannot be read for want of file handles or memory: it does not say that a process is gone. */
export class ProcUnreadableError extends OrchestratorError {
  constructor(cause: unknown) {
    super('PROC_UNREADABLE', `/proc cannot be read now: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
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
