import { PeriodicService, type Service } from '@orchestrator/lifecycle';

import { PoolPromoter, type PoolPromoterDeps } from './pool-promoter.js';

/** So often the list of pools is read: the first delayed job of a new pool is late by no more than that. */
export const POOL_LIST_MS = 2_000;

/** Keeps one promoter for each pool there is. */
export class Promoter implements Service {
  readonly name = 'promoter';
  private readonly byPool = new Map<string, PoolPromoter>();
  private readonly list: PeriodicService;
  private active = false;

  constructor(private readonly deps: PoolPromoterDeps) {
    const { clock, random, logger } = deps;
    this.list = new PeriodicService({
      name: 'promoter',
      intervalMs: POOL_LIST_MS,
      clock,
      random,
      logger,
      run: () => this.refresh(),
    });
  }

  async start(): Promise<void> {
    this.active = true;
    await this.list.start();
  }

  async stop(): Promise<void> {
    this.active = false;
    await this.list.stop();
    await Promise.all([...this.byPool.values()].map((promoter) => promoter.stop()));
    this.byPool.clear();
  }

  /** There is such a pool; known before it is found in the list. */
  watch(pool: string): void {
    if (this.active && !this.byPool.has(pool)) {
      this.byPool.set(pool, new PoolPromoter(pool, this.deps));
    }
  }

  /** No worker here is for it; where it has jobs it is found in the list again. */
  forget(pool: string): void {
    void this.byPool.get(pool)?.stop();
    this.byPool.delete(pool);
  }

  /** A claim has told when the next job of a pool is due. */
  aim(pool: string, inMs: number): void {
    this.byPool.get(pool)?.aim(inMs);
  }

  private async refresh(): Promise<void> {
    for (const pool of await this.deps.store.pools()) {
      this.watch(pool);
    }
  }
}
