import type { Ulid } from '@orchestrator/core';

import type { PendingOrder, ReconcileReply, ReconcileRequest } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import { reconcile as lua } from '../lua.js';

const GONE = 0;
const HELD_TO_CANCEL = 2;

/** @throws {StaleEpochError} when the session has a later epoch, or its death is being carried out */
export const reconcile = definePoolScript<ReconcileRequest, ReconcileReply>({
  name: 'reconcile',
  lua,
  args: ({ session, epoch, last, held }) => [
    session,
    epoch,
    last ? '1' : '0',
    held.length,
    ...held.flatMap(({ ulid, attemptId }) => [ulid, attemptId]),
  ],
  reply: (raw, { session, held }) => {
    const [requeued, more, ...codes] = raw as [number, string, ...number[]];
    const orders = held
      .filter((_, i) => codes[i] === HELD_TO_CANCEL)
      .map(({ ulid, attemptId, fence }): PendingOrder => {
        return { ulid: ulid as Ulid, session, attemptId, fence, order: 'cancel' };
      });
    return { verdicts: codes.map((code) => (code === GONE ? 'gone' : 'held')), requeued, more: more === '1', orders };
  },
});
