import type { JobState, Ulid } from '@orchestrator/core';

import type { ReclaimReply, ReclaimRequest } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import { reclaim as lua } from '../lua.js';

const FIELDS = 4;

export const reclaim = definePoolScript<ReclaimRequest & { random: number }, ReclaimReply>({
  name: 'reclaim',
  lua,
  args: ({ session, losses, reason, random }) => [session, losses, reason.replaceAll('\t', ' '), random],
  reply: (raw) => {
    const [remaining, ...values] = raw as [number, ...string[]];
    const moved: ReclaimReply['moved'] = [];
    for (let i = 0; i < values.length; i += FIELDS) {
      const [ulid, worker, lost, state] = values.slice(i, i + FIELDS) as [Ulid, string, string, JobState];
      moved.push({ ulid, worker, lost: lost === '1', state });
    }
    return { moved, remaining };
  },
});
