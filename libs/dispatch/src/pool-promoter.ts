import type { Clock, Random, Timer } from '@orchestrator/core';
import type { NewsType, QueueStore } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { PoolEvent, PoolNews } from './pool-news.js';
import { RetryDelay } from './retry-delay.js';

export interface PoolPromoterDeps {
  store: QueueStore;
  news: PoolNews;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Jobs were moved to `queued`. */
  onPromoted(pool: string): void;
  /** So many wait there. */
  onQueued(pool: string, queued: number): void;
}

/** Nothing depends on news: so long it sleeps at most. */
export const PROMOTER_POLL_MS = 5_000;
/** What is announced in the same moment is looked at once. */
const GATHER_MS = 20;
const DUE_EVENTS: ReadonlySet<NewsType> = new Set<NewsType>(['scheduled', 'retrying', 'reassigned']);

/** Moves what is due in one pool, by one timer aimed at the next due time as Redis' clock says. Needs no leader. */
export class PoolPromoter {
  private timer: Timer | undefined;
  private dueAt = Number.POSITIVE_INFINITY;
  private running: Promise<void> | undefined;
  private stopped = false;
  private isLate = false;
  private readonly delay: RetryDelay;
  private readonly unsubscribe: () => void;

  constructor(
    private readonly pool: string,
    private readonly deps: PoolPromoterDeps,
  ) {
    this.delay = new RetryDelay(deps.random);
    this.unsubscribe = deps.news.subscribe(pool, (events) => this.onNews(events), [...DUE_EVENTS]);
    this.aim(0);
  }

  /** Something is due in so long: an earlier aim stays. */
  aim(inMs: number): void {
    const at = this.deps.clock.monotonicMs() + inMs;
    if (this.stopped || at >= this.dueAt) {
      return;
    }
    this.timer?.cancel();
    this.dueAt = at;
    this.timer = this.deps.clock.setTimer(inMs, () => {
      this.dueAt = Number.POSITIVE_INFINITY;
      this.running ??= this.run();
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.unsubscribe();
    this.timer?.cancel();
    await this.running;
  }

  private onNews(events: readonly PoolEvent[]): void {
    if (events.some(({ type }) => DUE_EVENTS.has(type))) {
      this.aim(GATHER_MS);
    }
  }

  private async run(): Promise<void> {
    let nextMs = PROMOTER_POLL_MS;
    try {
      const { moved, queued, nextDueInMs } = await this.deps.store.promote(this.pool);
      this.delay.reset();
      this.isLate = false;
      nextMs = Math.min(nextMs, nextDueInMs ?? nextMs);
      this.deps.onQueued(this.pool, queued);
      if (moved > 0) {
        this.deps.onPromoted(this.pool);
      }
    } catch (error) {
      nextMs = this.delay.next();
      if (!this.isLate) {
        this.deps.logger.warn('due jobs could not be moved; tried again until they can', { pool: this.pool, error });
      }
      this.isLate = true;
    }
    this.running = undefined;
    this.aim(Math.max(1, nextMs));
  }
}
