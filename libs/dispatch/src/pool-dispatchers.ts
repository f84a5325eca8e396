import { PoolDispatcher, type PoolDispatcherDeps } from './pool-dispatcher.js';

/** The dispatchers of the pools that workers here are for. */
export class PoolDispatchers {
  private readonly byPool = new Map<string, PoolDispatcher>();

  constructor(private readonly deps: PoolDispatcherDeps) {}

  of(pool: string): PoolDispatcher {
    let dispatcher = this.byPool.get(pool);
    if (dispatcher === undefined) {
      dispatcher = new PoolDispatcher(pool, this.deps);
      this.byPool.set(pool, dispatcher);
    }
    return dispatcher;
  }

  /** Something may be waiting in a pool; if nobody here is for it, that is no matter of ours. */
  hurry(pool: string): void {
    this.byPool.get(pool)?.hurry();
  }

  list(): PoolDispatcher[] {
    return [...this.byPool.values()];
  }
}
