import { PoolDispatcher, type PoolDispatcherDeps } from './pool-dispatcher.js';

/** The dispatchers of the pools that workers here are for. */
export class PoolDispatchers {
  private readonly byPool = new Map<string, PoolDispatcher>();

  constructor(
    private readonly deps: PoolDispatcherDeps & {
      /** The first time that a worker here is for this pool. */
      onPool(pool: string): void;
    },
  ) {}

  of(pool: string): PoolDispatcher {
    let dispatcher = this.byPool.get(pool);
    if (dispatcher === undefined) {
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

  /** How many jobs wait in a pool, as somebody has just seen. */
  sawQueued(pool: string, queued: number): void {
    this.byPool.get(pool)?.sawQueued(queued);
  }

  list(): PoolDispatcher[] {
    return [...this.byPool.values()];
  }
}
