import type { RetentionLimits, TrimReply } from '../store.js';
import type { Batches } from './batches.js';
import type { PoolCalls } from './pool-calls.js';
import { trim } from './scripts/trim.js';

/**
 * One step of retention in a pool. Batches of which no job is left anywhere lose their own record, which lies in another
 * slot, first; then the pool is told to forget what it counted for them: cut short in between, the next step goes on.
 */
export async function trimPool(
  deps: { calls: PoolCalls; batches: Batches },
  pool: string,
  limits: RetentionLimits,
): Promise<TrimReply> {
  const step = await deps.calls.write(pool, trim, { ...limits, goneBatches: [] }, { resend: true });
  const goneBatches = await deps.batches.removeEmptied(step.emptiedBatches);
  if (goneBatches.length === 0) {
    return { ...step, emptiedBatches: [] };
  }
  const second = await deps.calls.write(pool, trim, { ...limits, goneBatches }, { resend: true });
  return {
    jobs: step.jobs + second.jobs,
    outputs: step.outputs + second.outputs,
    more: second.more || second.emptiedBatches.length > 0,
    emptiedBatches: goneBatches,
  };
}
