import type { Clock, Random } from '@orchestrator/core';
import { PeriodicService } from '@orchestrator/lifecycle';
import type { QueueStore, RetentionLimits } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

export interface TrimmerDeps {
  store: QueueStore;
  clock: Clock;
  random: Random;
  logger: Logger;
  limits: RetentionLimits;
}

export const TRIM_INTERVAL_MS = 5_000;
/** Small steps in a row for one pool; dispatching goes on between them. */
const MAX_STEPS = 40;

/** Removes what retention no longer keeps, as work goes on. Any scheduler does it, also several at once. */
export function createTrimmer({ store, clock, random, logger, limits }: TrimmerDeps): PeriodicService {
  return new PeriodicService({
    name: 'trimmer',
    intervalMs: TRIM_INTERVAL_MS,
    clock,
    random,
    logger,
    run: async (signal) => {
      for (const pool of await store.pools()) {
        let jobs = 0;
        let outputs = 0;
        for (let step = 0, more = true; more && step < MAX_STEPS && !signal.aborted; step += 1) {
          const reply = await store.trim(pool, limits);
          jobs += reply.jobs;
          outputs += reply.outputs;
          more = reply.more;
        }
        if (jobs + outputs > 0) {
          logger.debug('retention removed what is no longer kept', { pool, jobs, outputs });
        }
      }
    },
  });
}
