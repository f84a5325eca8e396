import { drainHandlers } from '../product/drain-handlers.js';
import type { ProductOptions } from '../product/product.js';
import type { Comparison, Participant, Workload } from '../workload.js';

const JOBS = 60_000;
/** Drains before the measured one, for each two workers: so each program has had as many jobs before, however many there are. */
const BEFORE = 2;
const TEN_POOLS = Array.from({ length: 10 }, (_, index) => `pool-${index}`);

const participant = (id: string, title: string, options: ProductOptions): Participant => ({
  id,
  title,
  run: (run) => drainHandlers(run, options, { count: run.jobs(JOBS), before: BEFORE * (options.workers / 2) }),
});

const ratio = (id: string, title: string, must: number): Comparison[] => [
  {
    goal: 'scale',
    title,
    of: { participant: id, figure: 'drainPerSecond' },
    to: { participant: 'one-and-two', figure: 'drainPerSecond' },
    better: 'more',
    must,
  },
  {
    goal: '',
    title: 'the same of programs that have just started',
    of: { participant: id, figure: 'firstPerSecond' },
    to: { participant: 'one-and-two', figure: 'firstPerSecond' },
    better: 'more',
  },
];

export const topology: Workload = {
  id: 'topology',
  title: `${JOBS} handlers that do nothing, after ${BEFORE} times as many for each two workers, on more programs and more pools`,
  quick: false,
  participants: [
    participant('one-and-two', 'ours: one scheduler, two workers, one pool', { workers: 2 }),
    participant('two-and-four', 'ours: two schedulers, four workers, one pool', { schedulers: 2, workers: 4 }),
    participant('ten-pools', 'ours: one scheduler, two workers, ten pools', { workers: 2, pools: TEN_POOLS }),
  ],
  comparisons: [
    ...ratio('two-and-four', 'drain of two schedulers and four workers / of one and two', 1),
    ...ratio('ten-pools', 'drain of ten pools / of one', 0.8),
  ],
};
