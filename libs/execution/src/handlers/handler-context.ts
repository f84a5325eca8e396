/** The second argument of a handler: `async (job, context) => result`. */
export interface HandlerContext {
  /**
   * Aborted when the job is cancelled, has run for too long or may be running elsewhere. `signal.reason` says which. A
   * handler that has not ended when the grace is over is ended with its whole thread.
   */
  readonly signal: AbortSignal;
  /** A line of the job's output. So is what the handler writes with `console`. */
  log(...values: unknown[]): void;
}

/** The reason of a handler's aborted signal. */
export class HandlerAbortError extends Error {
  override readonly name = 'AbortError';

  constructor(
    readonly reason: 'timeout' | 'cancelled' | 'lost',
    message: string,
  ) {
    super(message);
  }
}
