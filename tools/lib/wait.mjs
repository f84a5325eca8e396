import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

/** Asks again until the answer is truthy, or answers `undefined` when the time is over. */
export async function waitFor(ask, { withinMs, everyMs = 100 }) {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer || performance.now() > end) {
      return answer || undefined;
    }
    await sleep(everyMs);
  }
}
