import { setTimeout as pause } from 'node:timers/promises';

export interface WaitOptions {
  /** The named bound: after it the wait fails with `what`. */
  withinMs: number;
  everyMs?: number;
}

/** Asks again until the answer is neither undefined nor false. */
export async function waitUntil<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  { withinMs, everyMs = 50 }: WaitOptions,
): Promise<T> {
  const end = performance.now() + withinMs;
  let lastError: unknown;
  while (performance.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) {
        return answer;
      }
    } catch (error) {
      lastError = error;
    }
    await pause(everyMs);
  }
  throw new Error(`waited ${withinMs} ms in vain: ${what}`, { cause: lastError });
}

/** A span in which something must *not* happen, or a fault that must last: the only pause a test may make. */
export async function letPass(ms: number): Promise<void> {
  await pause(ms);
}
