import type { Ulid } from '@orchestrator/core';
import type { ScriptArgument } from '@orchestrator/redis';

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
  /** Jobs. Default `MAX_BATCH`. */
  most?: number;
}

/** Position, fence, number of the start. */
const AGAIN_WIDTH = 3;

/** Gives queued jobs to sessions whose gate is open. Never sent twice. */
export const claim = definePoolScript<ClaimParams, ClaimReply>({
  name: 'claim',
  lua: lua.claim,
  args: claimArgs,
  reply: toClaimReply,
});

/** What the script reads from its own fourth argument on. */
export function claimArgs({ claimId, wants, most = MAX_BATCH }: ClaimParams): ScriptArgument[] {
  const told = wants.flatMap((want) => [want.session, want.worker, want.epoch, want.max, want.free]);
  return [RECOVERY_MIN_MS, claimId, most, MAX_CLAIM_BYTES, wants.length, ...told];
}

export function toClaimReply(raw: unknown, { claimId, wants }: ClaimParams): ClaimReply {
  const answer = raw as [number, number | string, number[], unknown, number?, number[]?, string?, string?];
  const [queued, next, refused, state, fence = 0, again = [], named = '', specs = ''] = answer;
  const recovery = toRecovery(state);
  const sessionOf = (index: number): string => (wants[index] as ClaimWant).session;
  const lines = named === '' ? [] : named.slice(0, -1).split('\n');
  const jsons = specs.split('\n');
  if (lines.length > 0 && lines.length !== jsons.length) {
    throw new Error(`a claim was answered with ${lines.length} jobs and ${jsons.length} specs`);
  }
  const jobs = lines.map((line, index): ClaimedJob => {
    const space = line.indexOf(' ');
    return {
      ulid: line.slice(0, space) as Ulid,
      session: sessionOf(Number(line.slice(space + 1))),
      attemptId: `${claimId}.${index}`,
      fence,
      number: 1,
      specJson: jsons[index] as string,
    };
  });
  for (let i = 0; i < again.length; i += AGAIN_WIDTH) {
    const [position, itsFence, number] = again.slice(i, i + AGAIN_WIDTH) as [number, number, number];
    Object.assign(jobs[position] as ClaimedJob, { fence: itsFence, number });
  }
  const reply = { jobs, queued, nextDueInMs: toWait(next), refused: refused.map(sessionOf) };
  return recovery ? { ...reply, recovery } : reply;
}
