/** The pools of one worker take turns: its credit goes to the one that waited longest among those that want it. */
export class PoolTurns {
  /** The longest unserved first. */
  private order: string[] = [];

  add(pool: string): void {
    if (!this.order.includes(pool)) {
      this.order.unshift(pool);
    }
  }

  mayTake(pool: string, isHungry: (pool: string) => boolean): boolean {
    return this.order.find((candidate) => candidate === pool || isHungry(candidate)) === pool;
  }

  served(pool: string): void {
    this.order = [...this.order.filter((other) => other !== pool), pool];
  }

  clear(): void {
    this.order = [];
  }
}
