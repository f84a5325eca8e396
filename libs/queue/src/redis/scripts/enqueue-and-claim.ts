import type { EnqueueAndClaimReply, NewJob } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';
import { claimArgs, type ClaimParams, toClaimReply } from './claim.js';
import { enqueueArgs, toEnqueueReplies } from './enqueue.js';

/** Adds jobs, then gives jobs away, in one step. Sent a second time it adds nothing and claims nothing. */
export const enqueueAndClaim = definePoolScript<ClaimParams & { jobs: readonly NewJob[] }, EnqueueAndClaimReply>({
  name: 'enqueue-and-claim',
  lua: lua.enqueueAndClaim,
  args: ({ jobs, ...claims }) => [...enqueueArgs(jobs), ...claimArgs(claims)],
  reply: (raw, { jobs, ...claims }) => {
    const [enqueued, claimed] = raw as [unknown, unknown];
    return {
      enqueued: toEnqueueReplies(enqueued, jobs),
      claimed: claimed === undefined ? undefined : toClaimReply(claimed, claims),
    };
  },
});
