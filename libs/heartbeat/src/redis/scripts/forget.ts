import { defineScript } from '@orchestrator/redis';

import * as lua from '../lua.js';

/** Forgets those of the given sessions (at most `MAX_BATCH`) that have been dead for `deadKeptMs`. */
export const forget = defineScript<{ base: string; deadKeptMs: number; sessions: readonly string[] }, number>({
  name: 'forget',
  lua: lua.forget,
  keys: ({ base }) => [base],
  args: ({ deadKeptMs, sessions }) => [deadKeptMs, ...sessions],
  reply: (raw) => Number(raw),
});
