import { atRest, percentOfCore } from '../product/at-rest.js';
import { drainHandlersOn } from '../product/drain-handlers.js';
import type { ProductOptions } from '../product/product.js';
import { withProduct } from '../product/with-product.js';
import type { Comparison, Figures, Participant, Run, Workload } from '../workload.js';

const JOBS = 20_000;
const REST_S = 20;
const WORKERS = 2;
/** As many as a worker may be for, at each of them. */
const POOLS = Array.from({ length: 200 }, (_, index) => `pool-${index}`);

/** In turn, so that the gates of the drain, which go to the first pools, fill the slots of both. */
const ownPools = (worker: number): string[] => POOLS.filter((_, index) => index % WORKERS === worker - 1);

async function restAndDrain(run: Run, options: ProductOptions): Promise<Figures> {
  return withProduct(run, options, async (product, generator) => {
    const { ms, schedulerUs, workersUs, redisUs } = await atRest(run, product, run.seconds(REST_S));
    const drained = await drainHandlersOn(run, product, generator, { count: run.jobs(JOBS), before: 1 });
    return {
      restSchedulerPercent: percentOfCore(schedulerUs, ms),
      restWorkersPercent: percentOfCore(workersUs, ms),
      restRedisPercent: percentOfCore(redisUs, ms),
      ...drained,
    };
  });
}

const participant = (id: string, title: string, options: ProductOptions): Participant => ({
  id,
  title,
  run: (run) => restAndDrain(run, options),
});

const ratio = (figure: string, title: string, better: 'more' | 'less', must?: number): Comparison => ({
  goal: 'scale',
  title: `${title}, ${POOLS.length} pools / one`,
  of: { participant: 'many', figure },
  to: { participant: 'one', figure },
  better,
  ...(must === undefined ? {} : { must }),
});

export const manyPools: Workload = {
  id: 'many-pools',
  title: `${POOLS.length} pools at rest, then ${JOBS} handlers that do nothing spread over them`,
  aliases: ['scale'],
  quick: false,
  maxRounds: 3,
  participants: [
    participant('one', 'ours: one scheduler, two workers, one pool', { workers: WORKERS }),
    participant('many', `ours: one scheduler, two workers, ${POOLS.length} pools`, {
      workers: WORKERS,
      pools: POOLS,
      poolsOf: ownPools,
    }),
  ],
  comparisons: [
    ratio('drainPerSecond', 'drain', 'more', 0.5),
    ratio('restRedisPercent', "Redis' CPU at rest", 'less'),
    {
      goal: 'scale',
      title: `scheduler's CPU at rest with ${POOLS.length} pools, % of a core`,
      of: { participant: 'many', figure: 'restSchedulerPercent' },
      better: 'less',
      must: 10,
    },
    {
      goal: 'scale',
      title: `Redis' CPU at rest with ${POOLS.length} pools, % of a core`,
      of: { participant: 'many', figure: 'restRedisPercent' },
      better: 'less',
      must: 10,
    },
  ],
};
