import { leftovers, waitUntil } from '@orchestrator/e2e';

import { requireOnceEach } from '../ledger.js';
import { Filler, POOL } from '../long-queue/filler.js';
import { rateBetween } from '../long-queue/sampled-rate.js';
import { watchCounts } from '../long-queue/watch-counts.js';
import { batchesDone } from '../product/batches.js';
import { closeGates, openGates } from '../product/gates.js';
import { withProduct } from '../product/with-product.js';
import type { Figures, Participant, Run, Workload } from '../workload.js';

/** Enough for several rounds of the trimmer, which come every 5 s. */
const JOBS = 600_000;
const KEPT = 10_000;
const RUN_UP = 0.1;
const REACHED_WITHIN_MS = 30_000;

/** A full queue is drained as fast as it goes, and what has finished goes at the same time. */
async function drainKeeping(run: Run, kept: number): Promise<Figures> {
  const count = run.jobs(JOBS);
  const schedulerArgs = [`--retention-max-finished=${kept}`];
  return withProduct(run, { workers: 2, schedulerArgs }, async (product, generator) => {
    const filler = new Filler(run.redis.client);
    const gates = await closeGates(product, generator);
    await filler.add(count);
    await run.redis.rewrite();
    const redisBefore = await run.redis.cpuUs();
    const watched = watchCounts(filler, ({ queued, running }) => queued + running === 0);
    await openGates(product);
    const seen = await watched;
    const redisAfter = await run.redis.cpuUs();

    requireOnceEach(await product.ledger(), count, 'retention');
    await batchesDone(product, kept < count ? [] : [gates]);
    const keptAtLast = async (): Promise<number> => (await filler.store.counts(POOL)).succeeded;
    await waitUntil(`${kept} finished jobs are kept`, async () => (await keptAtLast()) <= kept, {
      withinMs: REACHED_WITHIN_MS,
    });
    const left = await leftovers(run.redis.client, product.workerPids.length);
    if (left.length > 0) {
      throw new Error(`left in Redis: ${left.join('; ')}`);
    }
    const all = count + gates.total;
    const progress = seen.map(({ atMs, counts }) => ({ atMs, done: all - counts.queued - counts.running }));
    return {
      drainPerSecond: rateBetween(progress, gates.total + count * RUN_UP, all),
      mostFinished: Math.max(...seen.map(({ counts }) => counts.succeeded)),
      redisUs: (redisAfter - redisBefore) / count,
    };
  });
}

export const retention: Workload = {
  id: 'retention',
  title: `${JOBS.toLocaleString('en')} handlers drained while finished ones are removed`,
  aliases: ['scale'],
  quick: false,
  maxRounds: 3,
  participants: [
    { id: 'all', title: 'ours: all are kept', run: (run) => drainKeeping(run, JOBS * 2) },
    { id: 'few', title: `ours: ${KEPT.toLocaleString('en')} are kept`, run: (run) => drainKeeping(run, KEPT) },
  ] satisfies Participant[],
  comparisons: [
    {
      goal: 'scale',
      title: `most finished jobs at any time, where ${KEPT.toLocaleString('en')} are kept`,
      of: { participant: 'few', figure: 'mostFinished' },
      better: 'less',
      must: JOBS / 2,
    },
    {
      goal: 'scale',
      title: 'drain while finished jobs are removed / without',
      of: { participant: 'few', figure: 'drainPerSecond' },
      to: { participant: 'all', figure: 'drainPerSecond' },
      better: 'more',
      must: 0.5,
      star: 0.8,
    },
  ],
};
