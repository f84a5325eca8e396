import type { Clock } from '@orchestrator/core';

/** Resolves when the promise does or the limit is over, and leaves no timer behind. Never rejects. */
export function within(clock: Clock, limitMs: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      resolve();
    };
    const timer = clock.setTimer(limitMs, done);
    promise.then(done, done);
  });
}
