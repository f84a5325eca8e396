import { defineScript } from '@orchestrator/redis';

import type { Death, DeathVerdict } from '../../registry.js';
import * as lua from '../lua.js';
import { type FlatFields, parseSession, toFields } from '../parse-session.js';

/**
 * Losses of a session that only a gate knows: all that it may hold. Its slots went with its registration, and what ran
 * on it is as lost as on any other dead worker.
 */
const UNKNOWN_SLOTS = 1_000;

/** The leader's verdict; rejects with OTHER_SERVER or STALE_TERM. */
export const declareDead = defineScript<{ base: string; verdict: DeathVerdict }, Death | 'renewed' | 'unknown'>({
  name: 'declare-dead',
  lua: lua.declareDead,
  keys: ({ base }) => [base],
  args: ({ verdict }) => [
    verdict.runId,
    verdict.term,
    verdict.session,
    verdict.renewals,
    verdict.reason,
    UNKNOWN_SLOTS,
  ],
  reply(raw, { verdict }) {
    const [status, fields = []] = raw as [string, FlatFields?];
    if (status === 'renewed' || status === 'unknown') {
      return status;
    }
    const death = parseSession(verdict.session, toFields(fields))?.death;
    if (death === undefined) {
      throw new TypeError(`declare-dead.lua answered "${status}" without a death`);
    }
    return death;
  },
});
