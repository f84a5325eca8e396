import { type PendingOrder, MAX_BATCH, type QueueStore } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { Assignee } from './assignee.js';
import { packFrames } from './pack-frames.js';

/**
 * Tells the workers connected here what is pending for them in one pool. Orders are state in the store: each safety poll
 * asks for them and tells them again until they are reported, and news only hurries that.
 */
export class OrderTeller {
  private running: Promise<void> | undefined;
  private again = false;

  constructor(
    private readonly pool: string,
    private readonly deps: { store: QueueStore; logger: Logger; assignees(): Iterable<Assignee> },
  ) {}

  /** Never rejects. A call during a run makes another run after it. */
  tell(): Promise<void> {
    this.again = true;
    this.running ??= this.run();
    return this.running;
  }

  private async run(): Promise<void> {
    await Promise.resolve();
    while (this.again) {
      this.again = false;
      const bySession = new Map([...this.deps.assignees()].map((assignee) => [assignee.session, assignee]));
      for (const sessions of packFrames([...bySession.keys()], () => 0, { maxEntries: MAX_BATCH })) {
        try {
          this.pass(bySession, await this.deps.store.pendingOrders(this.pool, sessions));
        } catch (error) {
          this.deps.logger.debug('pending orders could not be read; asked again soon', { pool: this.pool, error });
        }
      }
    }
    // In the same tick as the last look at `again`: a call is never lost.
    this.running = undefined;
  }

  private pass(bySession: ReadonlyMap<string, Assignee>, orders: readonly PendingOrder[]): void {
    for (const [session, assignee] of bySession) {
      const own = orders.filter((order) => order.session === session);
      if (own.length > 0) {
        assignee.order(this.pool, own);
      }
    }
  }
}
