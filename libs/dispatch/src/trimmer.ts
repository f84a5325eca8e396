import type { Clock, Random } from '@orchestrator/core';
import { PeriodicService } from '@orchestrator/lifecycle';
import type { QueueStore, RetentionLimits } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

export interface TrimmerDeps {
  store: Pick<QueueStore, 'pools' | 'trim'>;
  clock: Clock;
  random: Random;
  logger: Logger;
  limits: RetentionLimits;
}

export const TRIM_INTERVAL_MS = 5_000;
/** Small steps in a row for one pool, then it is the next one's turn; dispatching goes on between them. */
const STEPS_IN_A_ROW = 40;
/** After so long the list of pools is read again, even if some are still behind. */
export const TRIM_RUN_LIMIT_MS = 30_000;

/**
 * Removes what retention no longer keeps, as work goes on. Any scheduler does it, also several at once. It goes on as
 * long as a pool has more than it may keep, so what is kept stays bounded at any rate: a step stands in line with the calls
 * of the dispatcher, two of which may come for each, and removes more records than they can finish.
 */
export function createTrimmer({ store, clock, random, logger, limits }: TrimmerDeps): PeriodicService {
  const trimSome = async (pool: string, signal: AbortSignal): Promise<boolean> => {
    let [jobs, outputs, more] = [0, 0, true];
    for (let step = 0; more && step < STEPS_IN_A_ROW && !signal.aborted; step += 1) {
      const reply = await store.trim(pool, limits);
      jobs += reply.jobs;
      outputs += reply.outputs;
      more = reply.more;
    }
    if (jobs + outputs > 0) {
      logger.debug('retention removed what is no longer kept', { pool, jobs, outputs });
    }
    return more;
  };
  return new PeriodicService({
    name: 'trimmer',
    intervalMs: TRIM_INTERVAL_MS,
    clock,
    random,
    logger,
    run: async (signal) => {
      const until = clock.monotonicMs() + TRIM_RUN_LIMIT_MS;
      const behind = new Set(await store.pools());
      while (behind.size > 0 && !signal.aborted && clock.monotonicMs() < until) {
        for (const pool of behind) {
          if (!(await trimSome(pool, signal))) {
            behind.delete(pool);
          }
        }
      }
    },
  });
}
