import { drainHandlers } from '../product/drain-handlers.js';
import { type PeerKind, QueuePeer } from '../peers/queue-peer-client.js';
import type { Figures, Participant, Run, Workload } from '../workload.js';

const JOBS = 60_000;
const BEFORE = 2;
const CONCURRENCY = 200;

const ours: Participant = {
  id: 'ours',
  title: 'ours: bulk REST, one scheduler, gRPC, two workers',
  run: (run) => drainHandlers(run, { workers: 2 }, { count: run.jobs(JOBS), before: BEFORE }),
};

function peer(kind: PeerKind): Participant {
  return {
    id: kind,
    title: `${kind}: in one process, concurrency ${CONCURRENCY}, finished jobs removed`,
    run: (run) => QueuePeer.with(kind, run, (process) => drainPeer(process, run)),
  };
}

async function drainPeer(peer: QueuePeer, run: Run): Promise<Figures> {
  const count = run.jobs(JOBS);
  let firstMs: number | undefined;
  for (let drain = 1; drain <= BEFORE; drain += 1) {
    await peer.fill(count);
    const { ms } = await peer.drain({ count, concurrency: CONCURRENCY });
    firstMs ??= ms;
    await peer.check(count);
  }

  const filled = await peer.fill(count);
  const redisFull = await run.redis.cpuUs();
  const drained = await peer.drain({ count, concurrency: CONCURRENCY });
  const redisDrained = await run.redis.cpuUs();
  await peer.check(count);
  return {
    drainPerSecond: (count / drained.ms) * 1_000,
    firstPerSecond: (count / (firstMs ?? drained.ms)) * 1_000,
    fillPerSecond: (count / filled.ms) * 1_000,
    fillAndDrainPerSecond: (count / (filled.ms + drained.ms)) * 1_000,
    workerUs: drained.cpuUs / count,
    redisUs: (redisDrained - redisFull) / count,
  };
}

export const handlers: Workload = {
  id: 'handlers',
  title: `${JOBS} handlers that do nothing, after ${BEFORE} times as many`,
  aliases: ['scheduler-cpu'],
  quick: true,
  participants: [ours, peer('bullmq'), peer('bee-queue')],
  comparisons: [
    {
      goal: 'G11',
      title: "drain through the whole path / BullMQ's in-process drain",
      of: { participant: 'ours', figure: 'drainPerSecond' },
      to: { participant: 'bullmq', figure: 'drainPerSecond' },
      better: 'more',
      must: 2,
      star: 6,
    },
    {
      goal: 'G15',
      title: "scheduler's CPU a drained job, µs",
      of: { participant: 'ours', figure: 'schedulerUs' },
      better: 'less',
      must: 20,
      star: 5,
    },
    {
      goal: '',
      title: `the same of the first ${JOBS}, by programs that have just started`,
      of: { participant: 'ours', figure: 'firstPerSecond' },
      to: { participant: 'bullmq', figure: 'firstPerSecond' },
      better: 'more',
    },
    {
      goal: '',
      title: 'submitted and drained / the same in BullMQ',
      of: { participant: 'ours', figure: 'fillAndDrainPerSecond' },
      to: { participant: 'bullmq', figure: 'fillAndDrainPerSecond' },
      better: 'more',
    },
    {
      goal: '',
      title: "drain through the whole path / bee-queue's in-process drain",
      of: { participant: 'ours', figure: 'drainPerSecond' },
      to: { participant: 'bee-queue', figure: 'drainPerSecond' },
      better: 'more',
    },
    {
      goal: 'G5',
      title: "Redis' CPU a drained job, BullMQ / ours",
      of: { participant: 'bullmq', figure: 'redisUs' },
      to: { participant: 'ours', figure: 'redisUs' },
      better: 'more',
      must: 4,
      star: 10,
    },
  ],
};
