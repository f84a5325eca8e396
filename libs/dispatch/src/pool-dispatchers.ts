import { PoolDispatcher, type PoolDispatcherDeps } from './pool-dispatcher.js';

/** So many are kept, used or not: a worker that comes back finds its own. */
const KEPT_POOLS = 200;

/**
 * The dispatchers of the pools that workers here are for. Workers name them, so those that nobody uses any more are
 * dropped when there are many.
 */
export class PoolDispatchers {
  private readonly byPool = new Map<string, PoolDispatcher>();

  constructor(
    private readonly deps: PoolDispatcherDeps & {
      /** The first time that a worker here is for this pool. */
      onPool(pool: string): void;
      /** No longer. */
      onUnused(pool: string): void;
    },
  ) {}

  of(pool: string): PoolDispatcher {
    let dispatcher = this.byPool.get(pool);
    if (dispatcher === undefined) {
      this.dropUnused();
      dispatcher = new PoolDispatcher(pool, this.deps);
      this.byPool.set(pool, dispatcher);
      this.deps.onPool(pool);
    }
    return dispatcher;
  }

  /** Something may be waiting in a pool; if nobody here is for it, that is no matter of ours. */
  hurry(pool: string): void {
    this.byPool.get(pool)?.hurry();
  }

  /** These jobs are just being sent to the store, from here. */
  submitting(pool: string, jobs: readonly { ulid: string }[]): Promise<void> | undefined {
    return this.byPool.get(pool)?.submitting(jobs);
  }

  /** How many jobs wait in a pool, as somebody has just seen. */
  sawQueued(pool: string, queued: number): void {
    this.byPool.get(pool)?.sawQueued(queued);
  }

  list(): PoolDispatcher[] {
    return [...this.byPool.values()];
  }

  private dropUnused(): void {
    if (this.byPool.size < KEPT_POOLS) {
      return;
    }
    for (const [pool, dispatcher] of this.byPool) {
      if (dispatcher.isUnused) {
        this.byPool.delete(pool);
        void dispatcher.stop();
        this.deps.onUnused(pool);
      }
    }
  }
}
