import { setTimeout as pause } from 'node:timers/promises';

import type { Redis } from 'ioredis';

import { type Filler, POOL } from './filler.js';
import { type CallCost, measureCalls } from './measure-calls.js';

const TIMES = 40;
const BATCH = 100;
const DUE = 1_000;
const DUE_IN_MS = 1_500;
const HOUR_MS = 3_600_000;
/** What each step of `trim` is left to remove. */
const TRIMMED = 250;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export interface StoreCosts {
  costs: Record<string, CallCost>;
  trimmed: number;
}

/** What schedulers ask of Redis for their users and workers, on a queue that is as long as it is. */
export async function measureStore(redis: Redis, filler: Filler, waiting: number): Promise<StoreCosts> {
  const { store } = filler;
  await filler.open();
  const enqueue = await measureCalls(redis, TIMES, () => filler.add(BATCH));
  const drain = await measureCalls(redis, TIMES, () => filler.claimAndSettle(BATCH));
  const counts = await measureCalls(redis, TIMES, () => store.counts(POOL));
  const promote = await measurePromote(redis, filler, waiting);
  const { succeeded } = await store.counts(POOL);
  const trim = await measureCalls(redis, Math.ceil(TIMES / 2), (index) =>
    store.trim(POOL, { maxFinished: Math.max(0, succeeded - (index + 1) * TRIMMED), maxOutputBytes: NO_LIMIT }),
  );
  await filler.close();
  const trimmed = succeeded - (await store.counts(POOL)).succeeded;
  return { costs: { enqueue, drain, counts, promote, trim }, trimmed };
}

/** Per job: what is due of all that wait for their time. */
async function measurePromote(redis: Redis, filler: Filler, waiting: number): Promise<CallCost> {
  await filler.add(waiting, { runAtMs: Date.now() + HOUR_MS });
  const runAtMs = Date.now() + DUE_IN_MS;
  await filler.add(DUE, { runAtMs });
  await pause(runAtMs - Date.now() + 50);
  let moved = 0;
  const cost = await measureCalls(redis, 4, async () => {
    moved += (await filler.store.promote(POOL)).moved;
  });
  if (moved !== DUE) {
    throw new Error(`${moved} of ${DUE} jobs that were due have moved`);
  }
  return cost;
}
