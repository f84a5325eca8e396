import { MAX_BATCH, type PoolRecovery } from '../store.js';
import type { PoolCalls } from './pool-calls.js';
import { beginRecovery } from './scripts/begin-recovery.js';

/**
 * Puts a pool into recovery, in chunks of which the last one does it: cut short, nothing has begun. So it is when the
 * pool moves on in the middle, since the new server may not have the first chunks: the answer then is `begun: false`.
 */
export async function recoverPool(
  calls: PoolCalls,
  pool: string,
  sessions: readonly string[],
): Promise<PoolRecovery | undefined> {
  let runId: string | undefined;
  for (let from = 0; ; from += MAX_BATCH) {
    const last = from + MAX_BATCH >= sessions.length;
    const params = { sessions: sessions.slice(from, from + MAX_BATCH), runId, last };
    const state = await calls.write(pool, beginRecovery, params, { resend: true });
    if (last || state === undefined || state.begun || (runId !== undefined && state.runId !== runId)) {
      return state;
    }
    runId = state.runId;
  }
}
