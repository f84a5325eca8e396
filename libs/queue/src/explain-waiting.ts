import type { Job } from '@orchestrator/core';

export interface WaitingContext {
  /** Workers that serve the job's pool and are alive and not draining. */
  liveWorkersOfPool: number;
  /** Free slots of these. */
  freeSlots: number;
  /** Place in the pool's order, from 0. */
  position: number | undefined;
  /** By the same clock as the job's times, ms. */
  now: number;
}

export interface Waiting {
  reason: 'scheduled' | 'backoff' | 'no_workers' | 'slots_busy';
  /** A sentence for a person. */
  detail: string;
  /** Approximate: how many are in front of it. */
  position?: number;
  /** ms since 1970. */
  until?: number;
}

/** Answers "why is my job not running?"; null for a job that runs or is final. Where several hold: the first here. */
export function explainWaiting(job: Job, context: WaitingContext): Waiting | null {
  switch (job.state) {
    case 'scheduled':
      return explainScheduled(job, context.now);
    case 'queued':
      return explainQueued(job, context);
    case 'blocked':
    case 'running':
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'skipped':
      return null;
  }
}

function explainScheduled(job: Job, now: number): Waiting {
  const until = job.dueAt ?? now;
  const seconds = Math.ceil((until - now) / 1_000);
  const when = seconds > 0 ? `in ${seconds} s` : 'in a moment';
  if (job.scheduledFor !== 'backoff') {
    return { reason: 'scheduled', detail: `It is not to start before its time; it is queued ${when}.`, until };
  }
  const why =
    job.failures > 0 && job.history.at(-1)?.outcome === 'failed'
      ? `Attempt ${job.starts} failed`
      : `It lost its worker ${job.workerLosses} times`;
  return { reason: 'backoff', detail: `${why}; it is queued again ${when}.`, until };
}

function explainQueued(job: Job, { liveWorkersOfPool, freeSlots, position }: WaitingContext): Waiting {
  const place = position === undefined ? {} : { position };
  if (liveWorkersOfPool === 0) {
    return { reason: 'no_workers', detail: `No live worker serves the pool "${job.pool}".`, ...place };
  }
  const workers = liveWorkersOfPool === 1 ? 'the only worker' : `all ${liveWorkersOfPool} workers`;
  const ahead = position === undefined || position === 0 ? 'it is next' : `${position} are in front of it`;
  const detail =
    freeSlots > 0
      ? `A slot is free; ${ahead}.`
      : `Every slot of ${workers} of the pool "${job.pool}" is taken; ${ahead}.`;
  return { reason: 'slots_busy', detail, ...place };
}
