import type { TurnReply } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';
import { claimArgs, type ClaimParams, toClaimReply } from './claim.js';
import { settleArgs, type SettleParams, toVerdicts } from './settle.js';

/** Ends attempts, then gives jobs away, in one step. Never sent twice. */
export const turn = definePoolScript<SettleParams & ClaimParams, TurnReply>({
  name: 'turn',
  lua: lua.turn,
  args: (params) => [...settleArgs(params), ...claimArgs(params)],
  reply: (raw, params) => {
    const [settled, claimed] = raw as [unknown, unknown];
    return { verdicts: toVerdicts(settled, params.ends.length), claimed: toClaimReply(claimed, params) };
  },
});
