import { defineScript } from '@orchestrator/redis';

import type { RegistryLook, SessionRecord } from '../../registry.js';
import * as lua from '../lua.js';
import { type FlatFields, parseSession, toFields } from '../parse-session.js';

/** One consistent look at the living and the latest dead, with the server it was taken from. */
export const look = defineScript<{ base: string; deadShownMs: number; deadShown: number }, RegistryLook>({
  name: 'look',
  lua: lua.look,
  keys: ({ base }) => [base],
  args: ({ deadShownMs, deadShown }) => [deadShownMs, deadShown],
  reply(raw) {
    const [runId, now, term, ...sessions] = raw as [string, string, string, ...[string, FlatFields][]];
    return {
      runId,
      now: Number(now),
      term: Number(term),
      sessions: sessions
        .map(([session, fields]) => parseSession(session, toFields(fields)))
        .filter((record): record is SessionRecord => record !== undefined),
    };
  },
});
