import { defineScript } from '@orchestrator/redis';

import * as lua from '../lua.js';

/** Answers whether it was there. */
export const withdraw = defineScript<{ base: string; schedulerId: string }, boolean>({
  name: 'withdraw',
  lua: lua.withdraw,
  keys: ({ base }) => [base],
  args: ({ schedulerId }) => [schedulerId],
  reply: (raw) => Number(raw) === 1,
});
