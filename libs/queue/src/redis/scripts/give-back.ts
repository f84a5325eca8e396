import { FREE_RETURN_REASONS } from '@orchestrator/core';

import type { GiveBack, SettleVerdict } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';
import type { WithRandom } from './with-random.js';

/** Takes back attempts that their workers do not run to the end: for free, or as a loss. */
export const giveBack = definePoolScript<readonly WithRandom<GiveBack>[], SettleVerdict[]>({
  name: 'give-back',
  lua: lua.giveBack,
  args: (returns) => [
    returns.length,
    ...returns.flatMap((one) => [
      one.ulid,
      one.attemptId,
      one.fence,
      one.by ?? '',
      one.reason,
      Number(FREE_RETURN_REASONS.includes(one.reason)),
      Number(one.started),
      one.random,
    ]),
  ],
  reply: (raw) => raw as SettleVerdict[],
});
