/** A timer that has been set and can be taken back. */
export interface Timer {
  cancel(): void;
}

/**
 * Time comes in through constructors, so that a simulation can own it. Nothing but `systemClock` reads the machine's
 * clocks. `wallMs` is for people and records only; every interval is measured with `monotonicMs`.
 */
export interface Clock {
  /** Milliseconds since 1970, may jump. */
  wallMs(): number;
  /** Milliseconds since some fixed instant, never goes back. */
  monotonicMs(): number;
  /** Calls `fn` once after `delayMs` (capped at `MAX_TIMER_MS`; Node fires longer ones at once). */
  setTimer(delayMs: number, fn: () => void): Timer;
}

/** One hour: longer waits are kept in Redis and armed again. */
export const MAX_TIMER_MS = 3_600_000;

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, fn) {
    const handle = setTimeout(fn, Math.min(Math.max(delayMs, 0), MAX_TIMER_MS));
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`, or at once when the signal aborts; never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimer(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
