import { type Clock, type Random, sleep, toJobId } from '@orchestrator/core';
import type { Death, DeathReason } from '@orchestrator/heartbeat';
import { type QueueStore, type ReclaimReply, StaleCallError, StoreUnavailableError } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { DispatchCounters } from './counters.js';
import { RetryDelay } from './retry-delay.js';

export interface DeathCarrierDeps {
  store: QueueStore;
  clock: Clock;
  random: Random;
  logger: Logger;
  counters: DispatchCounters;
  /** Jobs of this pool are waiting again. */
  onFreed(pool: string): void;
}

const REASONS: Record<DeathReason, string> = {
  process_ended: "the worker's process ended",
  superseded: 'a newer process has its worker id',
  silent: 'no heartbeat in time',
  unregistered: 'its session is not registered',
  left: 'the worker left',
};

/**
 * Carries out deaths that were declared: closes the gate in each pool and takes the jobs back. Idempotent, so anybody may
 * do it at any time; repeated until nothing remains or the service stops (a leader's sweep then finds the rest).
 */
export class DeathCarrier {
  private readonly underWay = new Map<string, Promise<void>>();
  private readonly stopping = new AbortController();

  constructor(private readonly deps: DeathCarrierDeps) {}

  /** Resolves when it is done in all pools, or given up. Never rejects. */
  async carryOut(death: Death, pools: readonly string[] = death.pools): Promise<void> {
    await Promise.all(
      pools.map((pool) => {
        const key = `${pool} ${death.session}`;
        const running = this.underWay.get(key) ?? this.inPool(pool, death).finally(() => this.underWay.delete(key));
        this.underWay.set(key, running);
        return running;
      }),
    );
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.underWay.values());
  }

  private async inPool(pool: string, death: Death): Promise<void> {
    const { store, clock, random, logger } = this.deps;
    const delay = new RetryDelay(random);
    const { signal } = this.stopping;
    const { session, losses } = death;
    while (!signal.aborted) {
      try {
        const reply = await store.reclaim(pool, { session, losses, reason: REASONS[death.reason] });
        this.report(pool, death, reply);
        if (reply.remaining === 0) {
          return;
        }
        delay.reset();
      } catch (error) {
        if (!(error instanceof StoreUnavailableError || error instanceof StaleCallError)) {
          logger.error('a death could not be carried out; the next sweep tries again', { pool, session, error });
          return;
        }
        logger.warn('a death is not carried out yet', { pool, session, error });
        await sleep(clock, delay.next(), signal);
      }
    }
  }

  private report(pool: string, death: Death, { moved }: ReclaimReply): void {
    for (const { ulid, worker, lost, state } of moved) {
      this.deps.logger.warn('job taken back from a dead worker', {
        job: toJobId(pool, ulid),
        worker,
        session: death.session,
        reason: REASONS[death.reason],
        lost,
        state,
      });
    }
    if (moved.length > 0) {
      this.deps.counters.reassigned += moved.length;
      this.deps.onFreed(pool);
    }
  }
}
