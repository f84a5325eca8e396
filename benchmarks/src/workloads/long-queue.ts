import { toJobId } from '@orchestrator/core';

import { measureApi, POSTED } from '../long-queue/api-calls.js';
import { Filler, POOL } from '../long-queue/filler.js';
import { callFigures } from '../long-queue/measure-calls.js';
import { measureStore } from '../long-queue/store-calls.js';
import { withProduct } from '../product/with-product.js';
import type { Comparison, Figures, Participant, Run, Workload } from '../workload.js';

const FINISHED = 100_000;
const MOST_SCHEDULED = 100_000;
/** From all of the queue: looked at, then cancelled. */
const SAMPLE = 200;

async function callsAt(run: Run, full: number): Promise<Figures> {
  const { redis } = run;
  const length = full === 0 ? 0 : run.jobs(full);
  const filler = new Filler(redis.client);
  await filler.addFinished(run.jobs(FINISHED));
  const ulids = await filler.add(length);
  await redis.rewrite();
  const { costs, trimmed } = await measureStore(redis.client, filler, Math.min(length, run.jobs(MOST_SCHEDULED)));
  const left = await stillQueued(filler, evenly(ulids, SAMPLE));
  const waiting = left.length >= SAMPLE / 2 ? left : await filler.add(SAMPLE);
  await redis.rewrite();
  return withProduct(run, { workers: 0 }, async ({ api }) => {
    const ids = waiting.map((ulid) => toJobId(POOL, ulid));
    const asked = await measureApi(redis.client, api.address, ids);
    await requireAll(filler, filler.entered + POSTED - trimmed, ids.length);
    return { ...callFigures(costs), ...callFigures(asked) };
  });
}

/** Without those that were drained meanwhile, from the head. */
async function stillQueued({ store }: Filler, ulids: readonly string[]): Promise<string[]> {
  const places = await Promise.all(ulids.map((ulid) => store.position(POOL, ulid)));
  return ulids.filter((_, index) => places[index] !== undefined);
}

/** Each job is in one state, and none is lost. */
async function requireAll({ store }: Filler, expected: number, cancelled: number): Promise<void> {
  const counts = await store.counts(POOL);
  const all = Object.values(counts).reduce((sum, each) => sum + each, 0);
  if (all !== expected || counts.cancelled !== cancelled || counts.running !== 0) {
    throw new Error(`expected ${expected} jobs, ${cancelled} of them cancelled: ${JSON.stringify(counts)}`);
  }
}

function evenly<T>(list: readonly T[], count: number): T[] {
  const step = Math.max(1, Math.floor(list.length / count));
  return list.filter((_, index) => index % step === step - 1).slice(-count);
}

const at = (id: string, full: number): Participant => ({
  id,
  title: `ours: ${full.toLocaleString('en')} queued, ${FINISHED.toLocaleString('en')} finished`,
  run: (run) => callsAt(run, full),
});

const CALLS: Readonly<Record<string, string>> = {
  enqueue: 'enqueue 100',
  drain: 'claim and settle 100',
  counts: 'count the states',
  promote: 'move 250 that are due',
  trim: 'trim 250',
  post: 'POST /jobs',
  getJob: 'GET /jobs/{id}, with its position',
  list: 'GET /jobs?limit=50',
  listQueued: 'the same with state=queued',
  listFailed: 'the same with state=failed (none is)',
  cancel: 'POST /jobs/{id}/cancel',
};

export const longQueue: Workload = {
  id: 'long-queue',
  title: 'what a call costs Redis, by the length of the queue',
  aliases: ['scale'],
  quick: false,
  maxRounds: 3,
  participants: [at('at-0', 0), at('at-10k', 10_000), at('at-100k', 100_000), at('at-1m', 1_000_000)],
  comparisons: Object.entries(CALLS).map(([name, title]): Comparison => ({
    goal: 'scale',
    title: `Redis' CPU of a call, 1,000,000 queued / 10,000: ${title}`,
    of: { participant: 'at-1m', figure: `${name}CallUs` },
    to: { participant: 'at-10k', figure: `${name}CallUs` },
    better: 'less',
    must: 1.5,
    star: 1.15,
  })),
};
