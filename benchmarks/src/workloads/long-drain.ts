import { setTimeout as pause } from 'node:timers/promises';

import { waitUntil } from '@orchestrator/e2e';

import { requireOnceEach } from '../ledger.js';
import { Filler, POOL } from '../long-queue/filler.js';
import { rateBetween } from '../long-queue/sampled-rate.js';
import { watchCounts } from '../long-queue/watch-counts.js';
import { batchesDone } from '../product/batches.js';
import { closeGates, openGates, submitGates } from '../product/gates.js';
import type { Product } from '../product/product.js';
import { withProduct } from '../product/with-product.js';
import type { Figures, Participant, Run, Workload } from '../workload.js';

const DRAINED = 60_000;
const WARM_UP = 12_000;
const POSTED = 20_000;
const SHORT = 50_000;
const LONG = 1_000_000;
const IN_ONE_REQUEST = 100;
const REQUESTS_IN_FLIGHT = 16;
const DRAINED_WITHIN_MS = 120_000;
const LEAVING_MS = 1_000;
/** Of what is drained: until all adapted to it. */
const RUN_UP = 0.1;

/** What is drained lies before gates, behind which all others wait: so draining ends by itself where it is to end. */
async function drainHead(run: Run, behind: number): Promise<Figures> {
  const { redis } = run;
  return withProduct(run, { workers: 2 }, async (product, generator) => {
    const url = product.api.address;
    const posts = { url, size: IN_ONE_REQUEST, inFlight: REQUESTS_IN_FLIGHT } as const;
    const shape = { kind: 'handler', name: 'noop' } as const;
    const [warmUp, posted, head] = [run.jobs(WARM_UP), run.jobs(POSTED), run.jobs(DRAINED)];
    const warm = await generator.bulk({ ...posts, from: 0, count: warmUp, shape });
    await batchesDone(product, warm.batches);
    await Promise.all(product.ears.map((ear) => ear.reset()));

    const filler = new Filler(redis.client);
    const first = await closeGates(product, generator);
    const atEmpty = await generator.bulk({ ...posts, from: 0, count: posted, shape });
    await filler.add(head - posted, { from: posted });
    const second = await submitGates(product, generator);
    await filler.add(run.jobs(behind) - posted, { from: head });
    const atFull = await generator.bulk({ ...posts, from: head, count: posted, shape });
    await redis.rewrite();

    const start = warmUp + first.total;
    const seen = watchCounts(filler, ({ succeeded }) => succeeded >= start + head);
    const before = product.cpuUs();
    await openGates(product);
    const progress = (await seen).map(({ atMs, counts }) => ({ atMs, done: counts.succeeded }));
    const after = product.cpuUs();
    await allAtGates(product, filler, second.total);
    await requireDrained(product, filler, { head, before: warmUp + first.total });
    await leave(product);
    await requireAll(filler, warmUp + first.total + second.total + head + run.jobs(behind));
    return {
      drainPerSecond: rateBetween(progress, start + head * RUN_UP, start + head),
      enqueueAtEmptyPerSecond: (posted / atEmpty.ms) * 1_000,
      enqueueAtFullPerSecond: (posted / atFull.ms) * 1_000,
      schedulerUs: (after.schedulers - before.schedulers) / head,
    };
  });
}

/** Nothing moves any more: each slot has a gate, and what was taken ahead is back in its place. */
async function allAtGates(product: Product, { store }: Filler, gates: number): Promise<void> {
  await waitUntil(
    'all slots are held by gates again',
    async () => {
      const closed = await Promise.all(product.ears.map((ear) => ear.gates()));
      const { running } = await store.counts(POOL);
      return closed.reduce((sum, each) => sum + each, 0) === gates && running === gates;
    },
    { withinMs: DRAINED_WITHIN_MS },
  );
}

/** All of the head, each once; of what is behind it, what was taken while others had not reached the gates yet. */
async function requireDrained(
  product: Product,
  { store }: Filler,
  { head, before }: { head: number; before: number },
): Promise<void> {
  const page = await product.ledger();
  requireOnceEach({ ...page, counts: page.counts.slice(0, head) }, head, 'the head of a long queue');
  const executed = page.counts.reduce((sum, each) => sum + each, 0);
  const { succeeded } = await store.counts(POOL);
  if (page.counts.some((times) => times > 1) || executed + before !== succeeded) {
    throw new Error(`${executed} jobs were executed after ${before}, ${succeeded} are recorded`);
  }
}

/** Workers take nothing more, then their gates open: they end in order, and all that waits goes on waiting. */
async function leave(product: Product): Promise<void> {
  const stopped = product.stop();
  await pause(LEAVING_MS);
  await openGates(product);
  await stopped;
}

async function requireAll({ store }: Filler, expected: number): Promise<void> {
  const counts = await store.counts(POOL);
  if (counts.queued + counts.succeeded !== expected || counts.running !== 0) {
    throw new Error(`${expected} jobs were submitted: ${JSON.stringify(counts)}`);
  }
}

const participant = (id: string, behind: number): Participant => ({
  id,
  title: `ours: ${DRAINED.toLocaleString('en')} drained before ${behind.toLocaleString('en')} that wait`,
  run: (run) => drainHead(run, behind),
});

export const longDrain: Workload = {
  id: 'long-drain',
  title: `drain and submission with ${LONG.toLocaleString('en')} jobs in the queue`,
  aliases: ['scale'],
  quick: false,
  maxRounds: 3,
  participants: [participant('short', SHORT), participant('long', LONG)],
  comparisons: [
    {
      goal: 'G16',
      title: `drain with ${LONG.toLocaleString('en')} queued behind / with ${SHORT.toLocaleString('en')}`,
      of: { participant: 'long', figure: 'drainPerSecond' },
      to: { participant: 'short', figure: 'drainPerSecond' },
      better: 'more',
      must: 0.8,
      star: 0.95,
    },
    {
      goal: 'G16',
      title: `batches of ${IN_ONE_REQUEST} submitted at ${LONG.toLocaleString('en')} queued / at none`,
      of: { participant: 'long', figure: 'enqueueAtFullPerSecond' },
      to: { participant: 'long', figure: 'enqueueAtEmptyPerSecond' },
      better: 'more',
      must: 0.8,
      star: 0.95,
    },
  ],
};
