import type { Ulid } from '@orchestrator/core';

import {
  type ClaimedJob,
  type ClaimReply,
  type ClaimWant,
  MAX_BATCH,
  MAX_CLAIM_BYTES,
  RECOVERY_MIN_MS,
} from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';
import { toRecovery } from './to-recovery.js';
import { toWait } from './wait.js';

export interface ClaimParams {
  /** Random; attempts get their ids from it. */
  claimId: string;
  wants: readonly ClaimWant[];
}

/** ULID, position of the want, fence, number of the start, spec. */
const JOB_WIDTH = 5;

/** Gives queued jobs to sessions whose gate is open. Never sent twice. */
export const claim = definePoolScript<ClaimParams, ClaimReply>({
  name: 'claim',
  lua: lua.claim,
  args: ({ claimId, wants }) => [
    RECOVERY_MIN_MS,
    claimId,
    MAX_BATCH,
    MAX_CLAIM_BYTES,
    wants.length,
    ...wants.flatMap((want) => [want.session, want.worker, want.epoch, want.max, want.free]),
  ],
  reply: (raw, { claimId, wants }) => {
    const [queued, next, refused, state, ...flat] = raw as [
      number,
      number | string,
      number[],
      unknown,
      ...(string | number)[],
    ];
    const recovery = toRecovery(state);
    const sessionOf = (index: number): string => (wants[index] as ClaimWant).session;
    const jobs: ClaimedJob[] = [];
    for (let i = 0; i < flat.length; i += JOB_WIDTH) {
      const [ulid, want, fence, number, specJson] = flat.slice(i, i + JOB_WIDTH) as [
        Ulid,
        number,
        number,
        number,
        string,
      ];
      jobs.push({ ulid, session: sessionOf(want), attemptId: `${claimId}.${jobs.length}`, fence, number, specJson });
    }
    const reply = { jobs, queued, nextDueInMs: toWait(next), refused: refused.map(sessionOf) };
    return recovery ? { ...reply, recovery } : reply;
  },
});
