import { MAX_BATCH, type PromoteReply } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';
import { toWait } from './wait.js';

/** Moves what is due into the order, at most `MAX_BATCH`. */
export const promote = definePoolScript<void, PromoteReply>({
  name: 'promote',
  lua: lua.promote,
  args: () => [MAX_BATCH],
  reply: (raw) => {
    const [moved, queued, next] = raw as [number, number, number | string];
    return { moved, queued, nextDueInMs: toWait(next) };
  },
});
