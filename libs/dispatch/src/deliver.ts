import type { ClaimedJob, ClaimReply } from '@orchestrator/queue';

import type { Assignee, Offer } from './assignee.js';

/** What a claim reserved of a worker's credit. */
export interface Taken {
  assignee: Assignee;
  offer: Offer;
}

/** Hands what was claimed to the workers that it was claimed for; whose gate did not match is asked to say Hello again. */
export function deliver(pool: string, taken: readonly Taken[], reply: ClaimReply): void {
  const bySession = new Map<string, ClaimedJob[]>();
  for (const job of reply.jobs) {
    const jobs = bySession.get(job.session);
    if (jobs === undefined) {
      bySession.set(job.session, [job]);
    } else {
      jobs.push(job);
    }
  }
  const refused = new Set(reply.refused);
  for (const { assignee, offer } of taken) {
    assignee.assign(pool, offer.epoch, offer.max, bySession.get(assignee.session) ?? []);
    if (refused.has(assignee.session)) {
      assignee.rehello(`its gate in pool "${pool}" is not open for epoch ${offer.epoch}`);
    }
  }
}
