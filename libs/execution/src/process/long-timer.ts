import { type Clock, MAX_TIMER_MS, type Timer } from '@orchestrator/core';

/** Like `clock.setTimer`, for any length: a timer beyond the clock's limit is armed again until it is due. */
export function setLongTimer(clock: Clock, delayMs: number, fn: () => void): Timer {
  const dueAtMs = clock.monotonicMs() + delayMs;
  let timer = arm();
  return { cancel: () => timer.cancel() };

  function arm(): Timer {
    const leftMs = dueAtMs - clock.monotonicMs();
    return clock.setTimer(Math.min(leftMs, MAX_TIMER_MS), () => {
      if (clock.monotonicMs() >= dueAtMs || leftMs <= MAX_TIMER_MS) {
        fn();
      } else {
        timer = arm();
      }
    });
  }
}
