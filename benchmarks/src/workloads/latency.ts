import { type LedgerPage, requireOnceEach } from '../ledger.js';
import { type PeerKind, QueuePeer } from '../peers/queue-peer-client.js';
import { checkProduct } from '../product/check-product.js';
import { withProduct } from '../product/with-product.js';
import { quantile } from '../statistics.js';
import type { Comparison, Figures, Participant, Run, Workload } from '../workload.js';

const PER_SECOND = 100;
const JOBS = 1_000;
const WARM_UP = 200;
const CONCURRENCY = 200;

interface Times {
  sentMs: readonly number[];
  resultMs: readonly number[];
}

const ours: Participant = {
  id: 'ours',
  title: 'ours: POST, one scheduler, one worker; the result by GET ?wait',
  run: (run) =>
    withProduct(run, { workers: 1 }, async (product, generator) => {
      const [count, warmUp] = [run.jobs(JOBS), run.jobs(WARM_UP)];
      const load = { url: product.api.address, from: 0, perSecond: PER_SECOND };
      const shape = { kind: 'handler', name: 'noop' } as const;
      await generator.paced({ ...load, count: warmUp, shape });
      requireOnceEach(await product.ledger(), warmUp, 'latency, to warm up');
      await Promise.all(product.ears.map((ear) => ear.reset()));
      const before = product.cpuUs();
      const times = await generator.paced({ ...load, count, shape });
      const after = product.cpuUs();
      await checkProduct(product, run, warmUp + count);
      const ledger = await product.ledger();
      requireOnceEach(ledger, count, 'latency');
      const accepted = times.acceptedMs.map((each, index) => each - (times.sentMs[index] ?? NaN));
      return {
        ...toFigures(times, ledger),
        acceptedP50Ms: quantile(accepted, 0.5),
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
  await peer.paced({ count: warmUp, perSecond: PER_SECOND, concurrency: CONCURRENCY });
  await peer.check(warmUp);
  const times = await peer.paced({ count, perSecond: PER_SECOND, concurrency: CONCURRENCY });
  await peer.check(count);
  return toFigures(times, await peer.ledger());
}

function toFigures({ sentMs, resultMs }: Times, { startsMs }: LedgerPage): Figures {
  const starts = sentMs.map((sent, index) => (startsMs[index] ?? NaN) - sent);
  const results = sentMs.map((sent, index) => (resultMs[index] ?? NaN) - sent);
  return {
    startP50Ms: quantile(starts, 0.5),
    startP99Ms: quantile(starts, 0.99),
    resultP50Ms: quantile(results, 0.5),
    resultP99Ms: quantile(results, 0.99),
  };
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
