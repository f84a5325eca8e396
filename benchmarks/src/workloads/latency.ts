import { type LedgerPage, requireOnceEach } from '../ledger.js';
import { type PeerKind, QueuePeer } from '../peers/queue-peer-client.js';
import { checkProduct } from '../product/check-product.js';
import { withProduct } from '../product/with-product.js';
import { quantile } from '../statistics.js';
import type { Comparison, Figures, Participant, Run, Workload } from '../workload.js';

const PER_SECOND = 100;
const JOBS = 1_000;
/** As many as V8 takes to compile most of what a job runs through, at a pace that still sends them one by one. */
const WARM_UP = 20_000;
const WARM_UP_PER_SECOND = 1_000;
const CONCURRENCY = 200;

interface Times {
  sentMs: readonly number[];
  resultMs: readonly number[];
}

const ours: Participant = {
  id: 'ours',
  title: 'ours: POST, one scheduler, one worker; then the same with the result of each by GET ?wait',
  run: (run) =>
    withProduct(run, { workers: 1 }, async (product, generator) => {
      const [count, warmUp] = [run.jobs(JOBS), run.jobs(WARM_UP)];
      const load = { url: product.api.address, from: 0, perSecond: PER_SECOND };
      const forget = (): Promise<unknown> => Promise.all(product.ears.map((ear) => ear.reset()));
      const shape = { kind: 'handler', name: 'noop' } as const;
      const quickly = { ...load, perSecond: WARM_UP_PER_SECOND };
      await generator.paced({ ...quickly, count: warmUp, shape, results: true });
      requireOnceEach(await product.ledger(), warmUp, 'latency, to warm up');
      await forget();

      const before = product.cpuUs();
      const submitted = await generator.paced({ ...load, count, shape, results: false });
      const after = product.cpuUs();
      await checkProduct(product, run, warmUp + count);
      const starts = await product.ledger();
      requireOnceEach(starts, count, 'latency to the start');
      await forget();

      const awaited = await generator.paced({ ...load, count, shape, results: true });
      await checkProduct(product, run, warmUp + 2 * count);
      const ledger = await product.ledger();
      requireOnceEach(ledger, count, 'latency to the result');
      return {
        ...startsOf(submitted.sentMs, starts),
        acceptedP50Ms: quantile(between(submitted.sentMs, submitted.acceptedMs), 0.5),
        ...resultsOf(awaited),
        awaitedStartP50Ms: startsOf(awaited.sentMs, ledger).startP50Ms,
        schedulerUs: (after.schedulers - before.schedulers) / count,
        workerUs: (after.workers - before.workers) / count,
      };
    }),
};

function peer(kind: PeerKind): Participant {
  return {
    id: kind,
    title: `${kind}: submitted, executed and heard of in one process`,
    run: (run) => QueuePeer.with(kind, run, (process) => pacedPeer(process, run)),
  };
}

async function pacedPeer(peer: QueuePeer, run: Run): Promise<Figures> {
  const [count, warmUp] = [run.jobs(JOBS), run.jobs(WARM_UP)];
  await peer.paced({ count: warmUp, perSecond: WARM_UP_PER_SECOND, concurrency: CONCURRENCY });
  await peer.check(warmUp);
  const times = await peer.paced({ count, perSecond: PER_SECOND, concurrency: CONCURRENCY });
  await peer.check(count);
  return { ...startsOf(times.sentMs, await peer.ledger()), ...resultsOf(times) };
}

function startsOf(sentMs: readonly number[], { startsMs }: LedgerPage): { startP50Ms: number; startP99Ms: number } {
  const starts = between(sentMs, startsMs);
  return { startP50Ms: quantile(starts, 0.5), startP99Ms: quantile(starts, 0.99) };
}

function resultsOf({ sentMs, resultMs }: Times): Figures {
  const results = between(sentMs, resultMs);
  return { resultP50Ms: quantile(results, 0.5), resultP99Ms: quantile(results, 0.99) };
}

/** By number of the job. */
function between(fromMs: readonly number[], toMs: readonly number[]): number[] {
  return fromMs.map((from, index) => (toMs[index] ?? NaN) - from);
}

const ratio = (figure: string, title: string, goal = '', must?: number, star?: number): Comparison => ({
  goal,
  title: `${title}, ours / BullMQ in-process`,
  of: { participant: 'ours', figure },
  to: { participant: 'bullmq', figure },
  better: 'less',
  ...(must === undefined ? {} : { must }),
  ...(star === undefined ? {} : { star }),
});

export const latency: Workload = {
  id: 'latency',
  title: `${PER_SECOND} single jobs a second`,
  quick: true,
  participants: [ours, peer('bullmq'), peer('bee-queue')],
  comparisons: [
    ratio('startP50Ms', 'submit to start, p50', 'G10', 1.5, 1),
    ratio('startP99Ms', 'submit to start, p99'),
    ratio('resultP50Ms', 'submit to result, p50'),
    ratio('resultP99Ms', 'submit to result, p99'),
  ],
};
