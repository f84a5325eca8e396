import { defineScript } from '@orchestrator/redis';

import * as lua from '../lua.js';

/** Mints the next term. */
export const mintTerm = defineScript<{ base: string; leader: string }, number>({
  name: 'mint-term',
  lua: lua.mintTerm,
  keys: ({ base }) => [base],
  args: ({ leader }) => [leader],
  reply: (raw) => Number(raw),
});
