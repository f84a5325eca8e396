import type { Ulid } from '@orchestrator/core';

import { type PendingOrder, RECOVERY_MIN_MS, type ReconcileReply, type ReconcileRequest } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import { reconcile as lua } from '../lua.js';

const GONE = 0;
const HELD_TO_CANCEL = 2;
const UNSURE = 3;

/** @throws {StaleEpochError} when the session has a later epoch, or its death is being carried out */
export const reconcile = definePoolScript<ReconcileRequest, ReconcileReply>({
  name: 'reconcile',
  lua,
  args: ({ session, worker, epoch, last, held }) => [
    RECOVERY_MIN_MS,
    session,
    worker,
    epoch,
    last ? '1' : '0',
    held.length,
    ...held.flatMap(({ ulid, attemptId, fence, number, state }) => [
      ulid,
      attemptId,
      fence,
      number ?? 0,
      state === 'returned' ? '0' : state === 'frozen' ? '2' : '1',
    ]),
  ],
  reply: (raw, { session, held }) => {
    const [requeued, more, adopted, ...codes] = raw as [number, string, number, ...number[]];
    const orders = held
      .filter((_, i) => codes[i] === HELD_TO_CANCEL)
      .map(({ ulid, attemptId, fence }): PendingOrder => {
        return { ulid: ulid as Ulid, session, attemptId, fence, order: 'cancel' };
      });
    const verdicts = codes.map((code) => (code === GONE ? 'gone' : code === UNSURE ? 'unknown' : 'held'));
    return { verdicts, requeued, adopted, more: more === '1', orders };
  },
});
