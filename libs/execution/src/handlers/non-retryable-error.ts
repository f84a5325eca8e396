import { OrchestratorError } from '@orchestrator/core';

/**
 * For handlers to throw: the job fails at once, whatever attempts it has left. Any error with `retryable: false` does
 * the same, so that a handler's module need not import this one.
 */
export class NonRetryableError extends OrchestratorError {
  readonly retryable = false;

  constructor(message: string, options?: { cause?: unknown }) {
    super('NON_RETRYABLE', message, options);
  }
}

export function isRetryable(error: unknown): boolean {
  return !(typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === false);
}
