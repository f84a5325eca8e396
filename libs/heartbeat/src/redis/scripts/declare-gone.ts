import { defineScript } from '@orchestrator/redis';

import type { Death, DeathReason } from '../../registry.js';
import * as lua from '../lua.js';
import { type FlatFields, parseSession, toFields } from '../parse-session.js';

/** A session's own last will; answers the death that stands. */
export const declareGone = defineScript<{ base: string; session: string; reason: DeathReason }, Death | undefined>({
  name: 'declare-gone',
  lua: lua.declareGone,
  keys: ({ base }) => [base],
  args: ({ session, reason }) => [session, reason],
  reply: (raw, { session }) => parseSession(session, toFields(raw as FlatFields))?.death,
});
