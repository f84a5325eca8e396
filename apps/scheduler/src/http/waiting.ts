import { isFinal, type Job } from '@orchestrator/core';
import type { PoolRecovery } from '@orchestrator/queue';

import { toTime, type Waiting } from './job-view.js';

/** Who could run the jobs of a pool, as far as is known. */
export interface PoolCapacity {
  workers: number;
  slots: number;
  freeSlots: number;
}

/** Answers "why is my job not running?"; undefined when it is running or final. The first reason that holds, counts. */
export function explainWaiting(
  job: Pick<Job, 'state' | 'pool' | 'scheduledFor' | 'dueAt'>,
  capacity: PoolCapacity,
  position?: number,
  recovery?: PoolRecovery,
): Waiting | undefined {
  if (job.state === 'running' || isFinal(job.state)) {
    return undefined;
  }
  if (job.state === 'scheduled') {
    const until = job.dueAt === null ? {} : { until: toTime(job.dueAt) };
    return job.scheduledFor === 'backoff'
      ? {
          reason: 'backoff',
          detail: 'It waits after an attempt that failed or was lost, before the next one.',
          ...until,
        }
      : { reason: 'scheduled', detail: 'It was submitted to start later.', ...until };
  }
  const place = position === undefined ? {} : { position };
  if (recovery !== undefined) {
    const reason = capacity.workers === 0 ? 'no_workers' : 'slots_busy';
    return { reason, detail: toRecoveryDetail(job.pool, recovery), ...place };
  }
  if (capacity.workers === 0) {
    return { reason: 'no_workers', detail: `No worker takes jobs of the pool "${job.pool}" now.`, ...place };
  }
  return { reason: 'slots_busy', detail: toDetail(job.pool, capacity, position), ...place };
}

function toRecoveryDetail(pool: string, { begun, awaited }: PoolRecovery): string {
  const workers = awaited.length === 1 ? '1 worker' : `${awaited.length} workers`;
  const until =
    begun && awaited.length > 0 ? `it awaits word from ${workers} of what they run` : 'it goes on in a moment';
  return `The pool "${pool}" is in recovery after Redis was restarted or replaced: ${until}.`;
}

function toDetail(pool: string, { workers, slots, freeSlots }: PoolCapacity, position: number | undefined): string {
  const ahead =
    position === undefined || position === 0 ? '' : `, ${position} ${position === 1 ? 'job goes' : 'jobs go'} first`;
  return freeSlots === 0
    ? `All slots (${slots} at ${workers} ${workers === 1 ? 'worker' : 'workers'}) of the pool "${pool}" are busy${ahead}.`
    : `A worker of the pool "${pool}" is about to take it${ahead}.`;
}
