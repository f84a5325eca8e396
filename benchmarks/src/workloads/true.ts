import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { MARK, SIDE_BY_SIDE, TRUE } from '../commands.js';
import { lineRunner } from '../peers/line-runner.js';
import { QueuePeer } from '../peers/queue-peer-client.js';
import { drainCommands, requireMarks } from '../product/drain-commands.js';
import type { Comparison, Figures, Participant, Run, Workload } from '../workload.js';

/** Some seconds: the programs take the first one to compile their hot paths, which is not what is asked. */
const JOBS = 6_000;
const MARKED = 600;
/** GNU parallel takes milliseconds for each. */
const PARALLEL_JOBS = 1_000;
const CONCURRENCIES = [2, 4, 8, 16];

const ours: Participant = {
  id: 'ours',
  title: 'ours: REST batch, one scheduler, one worker',
  run: (run) => drainCommands(run, { workers: 1 }, { count: run.jobs(JOBS), marked: run.jobs(MARKED) }),
};

/** BullMQ with a process for each job; how many at once is best is found before the rounds. */
function bullMqSpawn(): Participant {
  let concurrency = CONCURRENCIES[0] ?? 1;
  const measure = (run: Run, folder: string, at: number): Promise<Figures> => {
    mkdirSync(folder);
    return QueuePeer.with('bullmq', run, (peer) => spawnJobs(peer, run, folder, at));
  };
  return {
    id: 'bullmq-spawn',
    title: `bullmq + child_process.spawn, at the best concurrency of ${CONCURRENCIES.join(', ')}`,
    async prepare(run) {
      let best = 0;
      for (const candidate of CONCURRENCIES) {
        const { perSecond = 0 } = await measure(run, join(run.folder, `marks-${candidate}`), candidate);
        if (perSecond > best) {
          [best, concurrency] = [perSecond, candidate];
        }
      }
      run.note(`bullmq + spawn: concurrency ${concurrency}`);
    },
    run: (run) => measure(run, join(run.folder, 'marks'), concurrency),
  };
}

async function spawnJobs(peer: QueuePeer, run: Run, marks: string, concurrency: number): Promise<Figures> {
  const [count, marked] = [run.jobs(JOBS), run.jobs(MARKED)];
  await peer.fillAndDrain({ count: marked, concurrency, task: { argv: MARK, marks } });
  await peer.check(marked);
  requireMarks(marks, marked);
  const { ms, cpuUs } = await peer.fillAndDrain({ count, concurrency, task: { argv: TRUE } });
  await peer.check(count);
  return { perSecond: (count / ms) * 1_000, workerUs: cpuUs / count };
}

const ratio = (to: string, title: string, goal = '', must?: number, star?: number): Comparison => ({
  goal,
  title: `/bin/true through the product / ${title}`,
  of: { participant: 'ours', figure: 'perSecond' },
  to: { participant: to, figure: 'perSecond' },
  better: 'more',
  ...(must === undefined ? {} : { must }),
  ...(star === undefined ? {} : { star }),
});

export const trueCommands: Workload = {
  id: 'true',
  title: `${JOBS} commands /bin/true`,
  quick: true,
  participants: [
    ours,
    bullMqSpawn(),
    lineRunner({
      id: 'xargs',
      title: `xargs -P${SIDE_BY_SIDE} -n1`,
      program: 'xargs',
      args: [`-P${SIDE_BY_SIDE}`, '-n1'],
      count: JOBS,
      marked: MARKED,
    }),
    lineRunner({
      id: 'parallel',
      title: `GNU parallel -j${SIDE_BY_SIDE}, ${PARALLEL_JOBS} jobs`,
      program: 'parallel',
      args: ['--will-cite', `-j${SIDE_BY_SIDE}`],
      env: { PARALLEL_HOME: '.', PARALLEL_SHELL: '/bin/sh' },
      count: PARALLEL_JOBS,
      marked: MARKED / 3,
    }),
  ],
  comparisons: [
    ratio('bullmq-spawn', 'BullMQ + spawn', 'G12', 1.5, 3),
    ratio('xargs', `xargs -P${SIDE_BY_SIDE}`, 'G12', 0.7, 1.2),
    ratio('parallel', `GNU parallel -j${SIDE_BY_SIDE}`, 'G14', 3, 6),
  ],
};
