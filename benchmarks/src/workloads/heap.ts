import { drainCommands } from '../product/drain-commands.js';
import type { Figures, Participant, Run, Workload } from '../workload.js';

const JOBS = 2_000;
const MARKED = 400;
const BALLAST_MIB = 500;

async function commands(run: Run, ballastMib: number): Promise<Figures> {
  const counts = { count: run.jobs(JOBS), marked: run.jobs(MARKED) };
  const figures = await drainCommands(run, { workers: 1, ballastMib }, counts);
  if ((figures['workerMib'] ?? 0) < ballastMib) {
    throw new Error(
      `the worker has ${figures['workerMib']?.toFixed(0)} MiB: its ballast of ${ballastMib} is not there`,
    );
  }
  return figures;
}

const participant = (id: string, title: string, ballastMib: number): Participant => ({
  id,
  title,
  run: (run) => commands(run, ballastMib),
});

export const heap: Workload = {
  id: 'heap',
  title: `${JOBS} commands /bin/true on a worker with a large heap`,
  quick: false,
  participants: [
    participant('plain', 'ours, a worker as it is', 0),
    participant('grown', `ours, a worker whose handlers hold ${BALLAST_MIB} MiB`, BALLAST_MIB),
  ],
  comparisons: [
    {
      goal: 'G13',
      title: `rate with ${BALLAST_MIB} MiB more / without`,
      of: { participant: 'grown', figure: 'perSecond' },
      to: { participant: 'plain', figure: 'perSecond' },
      better: 'more',
      must: 0.8,
      star: 0.95,
    },
  ],
};
