import { type ClaimWant, MAX_BATCH } from '@orchestrator/queue';

import type { Assignee } from './assignee.js';
import type { Taken } from './deliver.js';

/** Of everybody who has credit in this pool, beginning with the one at `rotation`; reserves it. */
export function takeCredit(pool: string, assignees: ReadonlySet<Assignee>, rotation: number): Taken[] {
  const all = [...assignees];
  const start = all.length > 0 ? rotation % all.length : 0;
  const taken: Taken[] = [];
  for (const assignee of [...all.slice(start), ...all.slice(0, start)]) {
    const offer = taken.length < MAX_BATCH ? assignee.offer(pool) : undefined;
    if (offer !== undefined) {
      assignee.reserve(pool, offer.max);
      taken.push({ assignee, offer });
    }
  }
  return taken;
}

/** Somebody could start a job of this pool at once. */
export function hasFreeSlot(pool: string, assignees: ReadonlySet<Assignee>): boolean {
  for (const assignee of assignees) {
    if ((assignee.offer(pool)?.free ?? 0) > 0) {
      return true;
    }
  }
  return false;
}

export function toWants(taken: readonly Taken[]): ClaimWant[] {
  return taken.map(({ assignee: { session, worker }, offer }) => ({ session, worker, ...offer }));
}
