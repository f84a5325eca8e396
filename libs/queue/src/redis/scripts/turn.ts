import type { SettleVerdict, TurnReply } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';
import { claimArgs, type ClaimParams, toClaimReply } from './claim.js';
import { settleArgs, type SettleParams } from './settle.js';

/** Ends attempts, then gives jobs away, in one step. Never sent twice. */
export const turn = definePoolScript<SettleParams & ClaimParams, TurnReply>({
  name: 'turn',
  lua: lua.turn,
  args: (params) => [...settleArgs(params), ...claimArgs(params)],
  reply: (raw, params) => {
    const [verdicts, claimed] = raw as [SettleVerdict[], unknown];
    return { verdicts, claimed: toClaimReply(claimed, params) };
  },
});
