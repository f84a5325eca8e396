import { defineScript } from '@orchestrator/redis';

import type { RegistryLook, SessionRecord } from '../../registry.js';
import * as lua from '../lua.js';
import { parseSession, SESSION_FIELDS } from '../parse-session.js';

/** One consistent look at the living and the latest dead, with the server it was taken from. */
export const look = defineScript<{ base: string; deadShownMs: number; deadShown: number }, RegistryLook>({
  name: 'look',
  lua: lua.look,
  keys: ({ base }) => [base],
  args: ({ deadShownMs, deadShown }) => [deadShownMs, deadShown, ...SESSION_FIELDS],
  reply(raw) {
    const [runId, now, term, ...sessions] = raw as [string, string, string, ...string[]];
    return {
      runId,
      now: Number(now),
      term: Number(term),
      sessions: sessions.map(parseLines).filter((record): record is SessionRecord => record !== undefined),
    };
  },
});

/** The session, then its fields in the order of `SESSION_FIELDS`: none of them holds a line break. */
function parseLines(text: string): SessionRecord | undefined {
  const [session = '', ...values] = text.split('\n');
  const fields: Record<string, string> = {};
  SESSION_FIELDS.forEach((name, i) => {
    const value = values[i];
    if (value !== undefined && value !== '') {
      fields[name] = value;
    }
  });
  return parseSession(session, fields);
}
