import { toJobId } from '@orchestrator/core';
import {
  type Assignment,
  type AttemptRef,
  type CancelOrder,
  type SchedulerMessage,
  type Verdict,
  VerdictKind,
} from '@orchestrator/proto-types';
import type { AttemptKey, ClaimedJob } from '@orchestrator/queue';

import { assignmentBytes } from './message-bytes.js';
import { packFrames } from './pack-frames.js';

export function toRef(pool: string, { ulid, attemptId, fence }: AttemptKey): AttemptRef {
  return { jobId: toJobId(pool, ulid), attemptId, fence };
}

/** The trace context of the submission travels inside the spec. */
function toAssignment(pool: string, job: ClaimedJob): Assignment {
  return { attempt: toRef(pool, job), specJson: job.specJson, number: job.number, traceparent: '' };
}

/** Packed to frames, in order. */
export function toAssignMessages(pool: string, epoch: number, jobs: readonly ClaimedJob[]): SchedulerMessage[] {
  const assignments = jobs.map((job) => toAssignment(pool, job));
  return packFrames(assignments, assignmentBytes).map((attempts) => ({
    message: { $case: 'assign', value: { epoch, attempts } },
  }));
}

export function toVerdict(attempt: AttemptRef, kind: 'held' | 'gone' | 'unknown'): Verdict {
  const kinds = { held: VerdictKind.HELD, gone: VerdictKind.GONE, unknown: VerdictKind.UNKNOWN };
  return { attempt, kind: kinds[kind] };
}

export function toCancelMessage(orders: readonly CancelOrder[]): SchedulerMessage {
  return { message: { $case: 'cancel', value: { attempts: [...orders] } } };
}
