import { type PeerKind, QueuePeer } from '../peers/queue-peer-client.js';
import { checkProduct } from '../product/check-product.js';
import { type ProductOptions } from '../product/product.js';
import { withProduct } from '../product/with-product.js';
import type { Comparison, Figures, Participant, Run, Workload } from '../workload.js';

const JOBS = 50_000;
const WARM_UP = 1_000;
const IN_FLIGHT = 64;
const IN_ONE_REQUEST = 100;
const CONCURRENCY = 200;
const DRAINED_WITHIN_MS = 120_000;
const OURS: ProductOptions = { workers: 0 };

/** Without the stream of events, which is bounded and costs the same for one job and for a million. */
async function bytesWithoutEvents({ redis }: Run): Promise<number> {
  const streams = await redis.client.keys('*:events');
  const sizes = await Promise.all(streams.map((key) => redis.client.memory('USAGE', key, 'SAMPLES', 0)));
  return (await redis.usedBytes()) - sizes.reduce<number>((sum, size) => sum + Number(size ?? 0), 0);
}

function ours(run: Run, kind: 'single' | 'bulk'): Promise<Figures> {
  return withProduct(run, OURS, async (product, generator) => {
    const [warmUp, count] = [run.jobs(WARM_UP), run.jobs(JOBS)];
    const shape = { kind: 'handler', name: 'noop' } as const;
    const load = { url: product.api.address, inFlight: IN_FLIGHT, size: IN_ONE_REQUEST, shape };
    await generator[kind]({ ...load, from: 0, count: warmUp });
    const empty = await bytesWithoutEvents(run);
    await generator[kind]({ ...load, from: warmUp, count });
    const queued = await bytesWithoutEvents(run);
    await product.startWorkers(1);
    await checkProduct(product, run, warmUp + count, DRAINED_WITHIN_MS);
    const finished = await bytesWithoutEvents(run);
    // What was there before was queued at first and has finished since, too.
    const grown = ((finished - queued) / (warmUp + count)) * count;
    return { queuedBytes: (queued - empty) / count, finishedBytes: (queued - empty + grown) / count };
  });
}

const peer = (kind: PeerKind): Participant => ({
  id: kind,
  title: `${kind}: added one by one, finished jobs kept`,
  run: (run) =>
    QueuePeer.with(kind, run, async (process) => {
      const count = run.jobs(JOBS);
      await process.fill(1, { keep: true });
      const empty = await bytesWithoutEvents(run);
      await process.fill(count, { keep: true });
      const queued = await bytesWithoutEvents(run);
      await process.drain({ count, concurrency: CONCURRENCY });
      const finished = await bytesWithoutEvents(run);
      await process.checkExecuted(count);
      return { queuedBytes: (queued - empty) / count, finishedBytes: (finished - empty) / count };
    }),
});

const ratio = (figure: string, title: string, to: string, goal: Partial<Comparison> = {}): Comparison => ({
  goal: '',
  title: `Redis' bytes of a ${title} job, ours / ${to}`,
  of: { participant: 'single', figure },
  to: { participant: to, figure },
  better: 'less',
  ...goal,
});

export const jobBytes: Workload = {
  id: 'job-bytes',
  title: `what ${JOBS.toLocaleString('en')} jobs occupy in Redis`,
  aliases: ['scale'],
  quick: false,
  maxRounds: 3,
  participants: [
    { id: 'single', title: 'ours: single POSTs', run: (run) => ours(run, 'single') },
    { id: 'bulk', title: `ours: batches of ${IN_ONE_REQUEST}`, run: (run) => ours(run, 'bulk') },
    peer('bullmq'),
    peer('bee-queue'),
  ],
  comparisons: [
    ratio('queuedBytes', 'queued', 'bullmq', { goal: 'G17', must: 1, star: 0.5 }),
    ratio('finishedBytes', 'finished', 'bullmq'),
    ratio('queuedBytes', 'queued', 'bee-queue'),
  ],
};
