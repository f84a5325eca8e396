import { defineScript } from '@orchestrator/redis';

import type { Renewal, RenewalReply } from '../../registry.js';
import * as lua from '../lua.js';

/** Renews a batch of sessions, at most `MAX_BATCH`. */
export const renew = defineScript<{ base: string; renewals: readonly Renewal[] }, RenewalReply[]>({
  name: 'renew',
  lua: lua.renew,
  keys: ({ base }) => [base],
  args: ({ renewals }) =>
    renewals.flatMap((one) => [
      one.session,
      one.epoch,
      one.freeSlots,
      one.load,
      one.memoryUsedBytes,
      one.memoryTotalBytes,
      one.wedged === true ? 1 : 0,
    ]),
  reply: (raw) => (raw as [string, string, string?][]).map(parseReply),
});

function parseReply([status, first, second = '']: [string, string, string?]): RenewalReply {
  switch (status) {
    case 'alive':
      return { status, draining: first === '1', superseded: second === '' ? undefined : second };
    case 'session_dead':
      return { status, reason: first };
    case 'superseded':
      return { status, bySession: first };
    case 'stale_epoch':
      return { status, epoch: Number(first) };
    default:
      throw new TypeError(`renew.lua answered "${status}"`);
  }
}
