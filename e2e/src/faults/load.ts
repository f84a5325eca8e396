import { setTimeout as pause } from 'node:timers/promises';

import type { Client, JobWish } from './client.js';
import type { SeededRandom } from './seeded-random.js';

export interface LoadOptions {
  jobsPerSecond: number;
  /** Of a hundred jobs, how many run for one to four seconds. Default 10. */
  longOf100?: number;
}

/** Jobs of 10 to 200 ms, some of seconds, some that fail once or twice before they succeed. */
export function someJob(random: SeededRandom, longOf100 = 10): JobWish {
  const dice = random.between(1, 100);
  if (dice <= longOf100) {
    return { ms: random.between(1_000, 4_000) };
  }
  return { ms: random.between(10, 200), failures: dice > 92 ? random.between(1, 2) : 0 };
}

/** Submits at a rate until it is told to stop; then resolves when every submission has its answer. */
export function startLoad(client: Client, random: SeededRandom, options: LoadOptions): () => Promise<number> {
  const open = new Set<Promise<unknown>>();
  let stopped = false;
  let submitted = 0;
  const loop = (async () => {
    const startMs = performance.now();
    while (!stopped) {
      const due = Math.floor(((performance.now() - startMs) / 1_000) * options.jobsPerSecond);
      for (; submitted < due; submitted += 1) {
        const one = client.submit(someJob(random, options.longOf100)).finally(() => open.delete(one));
        open.add(one);
      }
      await pause(20);
    }
  })();
  return async () => {
    stopped = true;
    await loop;
    await Promise.all(open);
    return submitted;
  };
}
