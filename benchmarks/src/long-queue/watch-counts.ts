import { setTimeout as pause } from 'node:timers/promises';

import type { JobState } from '@orchestrator/core';

import { type Filler, POOL } from './filler.js';

const LOOK_EVERY_MS = 20;
const WITHIN_MS = 120_000;

export interface SeenCounts {
  atMs: number;
  counts: Readonly<Record<JobState, number>>;
}

/** Looks at the pool again and again. @throws {Error} when it is not `over` in time. */
export async function watchCounts(
  { store }: Filler,
  over: (counts: SeenCounts['counts']) => boolean,
): Promise<SeenCounts[]> {
  const seen: SeenCounts[] = [];
  for (const end = performance.now() + WITHIN_MS; performance.now() < end; await pause(LOOK_EVERY_MS)) {
    const counts = await store.counts(POOL);
    seen.push({ atMs: performance.now(), counts });
    if (over(counts)) {
      return seen;
    }
  }
  throw new Error(`a drain was not over after ${WITHIN_MS} ms: ${JSON.stringify(seen.at(-1)?.counts)}`);
}
