import { toJobId } from '@orchestrator/core';
import {
  type Assignment,
  type AttemptRef,
  type CancelOrder,
  packAssignments,
  type PackedAssignment,
  packIds,
  type Recorded,
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

/** Packed to frames, in order. `isPacked`: the worker understands it as text. */
export function toAssignMessages(
  pool: string,
  epoch: number,
  jobs: readonly ClaimedJob[],
  isPacked: boolean,
): SchedulerMessage[] {
  return packFrames(jobs, assignmentBytes).map((frame) => {
    const value = isPacked
      ? { epoch, attempts: [], packed: packAssignments(frame.map((job) => toPacked(pool, job))) }
      : { epoch, attempts: frame.map((job) => toAssignment(pool, job)), packed: '' };
    return { message: { $case: 'assign', value } };
  });
}

function toPacked(pool: string, job: ClaimedJob): PackedAssignment {
  return { attempt: toRef(pool, job), specJson: job.specJson, number: job.number };
}

export function toRecorded(attempts: readonly AttemptRef[], isPacked: boolean): Recorded {
  return isPacked ? { attempts: [], packed: packIds(attempts) } : { attempts: [...attempts], packed: '' };
}

export function toVerdict(attempt: AttemptRef, kind: 'held' | 'gone' | 'unknown'): Verdict {
  const kinds = { held: VerdictKind.HELD, gone: VerdictKind.GONE, unknown: VerdictKind.UNKNOWN };
  return { attempt, kind: kinds[kind] };
}

export function toCancelMessage(orders: readonly CancelOrder[]): SchedulerMessage {
  return { message: { $case: 'cancel', value: { attempts: [...orders] } } };
}
