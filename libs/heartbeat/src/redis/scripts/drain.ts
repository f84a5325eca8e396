import { defineScript } from '@orchestrator/redis';

import * as lua from '../lua.js';

/** Marks the session in place of a worker id as draining. */
export const drain = defineScript<{ base: string; worker: string }, 'draining' | 'unknown'>({
  name: 'drain',
  lua: lua.drain,
  keys: ({ base }) => [base],
  args: ({ worker }) => [worker],
  reply: (raw) => (raw === 'draining' ? 'draining' : 'unknown'),
});
