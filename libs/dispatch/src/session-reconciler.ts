import type { HeldAttempt, HeldVerdict, PendingOrder, QueueStore } from '@orchestrator/queue';

import { packFrames } from './pack-frames.js';

/** No script holds Redis for more than 5 ms: measured, 250 adoptions take 6.5 to 11. */
export const HELD_PER_CALL = 100;

export interface ReconcileTask {
  pool: string;
  session: string;
  worker: string;
  epoch: number;
  /** All that the worker has not seen recorded, of this pool. */
  held: readonly HeldAttempt[];
}

export interface ReconcileOutcome {
  /** In the order of `held`. */
  verdicts: HeldVerdict[];
  requeued: number;
  /** Of `held`: taken back from a lost tail. */
  adopted: number;
  orders: PendingOrder[];
}

/** Asks again about what a pool was unsure of. Opens no door and takes nothing back. Rejects as the store does. */
export async function askAgain(store: QueueStore, { pool, held, ...session }: ReconcileTask): Promise<HeldVerdict[]> {
  const verdicts: HeldVerdict[] = [];
  for (const chunk of packFrames(held, () => 0, { maxEntries: HELD_PER_CALL })) {
    verdicts.push(...(await store.reconcile(pool, { ...session, held: chunk, last: false })).verdicts);
  }
  return verdicts;
}

/**
 * Reconciles a session with one pool, in chunks; the last one opens the door for claims. Rejects as the store does; all
 * of it may then be done again.
 */
export async function reconcileSession(store: QueueStore, task: ReconcileTask): Promise<ReconcileOutcome> {
  const { pool, held, ...session } = task;
  const outcome: ReconcileOutcome = { verdicts: [], requeued: 0, adopted: 0, orders: [] };
  const chunks = packFrames(held, () => 0, { maxEntries: HELD_PER_CALL });
  const last = chunks.pop() ?? [];
  for (const chunk of chunks) {
    const reply = await store.reconcile(pool, { ...session, held: chunk, last: false });
    outcome.verdicts.push(...reply.verdicts);
    outcome.adopted += reply.adopted ?? 0;
    outcome.orders.push(...reply.orders);
  }
  for (let isFirst = true; ; isFirst = false) {
    const reply = await store.reconcile(pool, { ...session, held: last, last: true });
    outcome.requeued += reply.requeued;
    if (isFirst) {
      outcome.verdicts.push(...reply.verdicts);
      outcome.adopted += reply.adopted ?? 0;
      outcome.orders.push(...reply.orders);
    }
    if (!reply.more) {
      return outcome;
    }
  }
}
