import { type Clock, OrchestratorError } from '@orchestrator/core';

/** Thrown when something was not done in time. It may still be done later. */
export class TimeoutError extends OrchestratorError {
  constructor(
    readonly what: string,
    readonly limitMs: number,
  ) {
    super('TIMEOUT', `${what} took longer than its limit of ${limitMs} ms`);
  }
}

/**
 * Settles as `promise` does, or rejects with `TimeoutError` after `limitMs`. The work itself goes on, and its late
 * failure is swallowed; who must undo its late success looks at `promise` himself.
 */
export function withTimeout<T>(clock: Clock, limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(limitMs, () => reject(new TimeoutError(what, limitMs)));
    void promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
