import { defineScript } from '@orchestrator/redis';

import { type PoolGlance, RECOVERY_MIN_MS } from '../../store.js';
import { glance as lua } from '../lua.js';
import { toRecovery } from './to-recovery.js';
import { toWait } from './wait.js';

/** Whether there is something to do in a pool. */
export const glance = defineScript<{ base: string }, PoolGlance>({
  name: 'glance',
  lua,
  keys: ({ base }) => [base],
  args: () => [RECOVERY_MIN_MS],
  reply(raw) {
    const [queued, due, state] = raw as [number, number | string, unknown];
    const recovery = toRecovery(state);
    return { queued, nextDueInMs: toWait(due), ...(recovery === undefined ? {} : { recovery }) };
  },
});
