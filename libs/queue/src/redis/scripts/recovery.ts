import { defineScript } from '@orchestrator/redis';

import { type PoolRecovery, RECOVERY_MIN_MS } from '../../store.js';
import { recovery as lua } from '../lua.js';
import { toRecovery } from './to-recovery.js';

/** Answers whether a pool is in recovery, or has to be put into it. */
export const recovery = defineScript<{ base: string }, PoolRecovery | undefined>({
  name: 'recovery',
  lua,
  keys: ({ base }) => [base],
  args: () => [RECOVERY_MIN_MS],
  reply: toRecovery,
});
