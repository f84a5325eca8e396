import type { ExecutorEnd, ExecutorOutput, OutputStreamName } from '@orchestrator/execution';
import { MAX_RESULT_BYTES, type ReturnReason as CoreReturnReason } from '@orchestrator/core';
import {
  type AttemptRef,
  type FinishedAttempt,
  type Hello,
  Outcome,
  type OutputChunk,
  OutputStream,
  ReturnReason,
  type WorkerMessage,
} from '@orchestrator/proto-types';

import type { WorkerIdentity } from './session-params.js';

const OUTCOMES = {
  succeeded: Outcome.SUCCEEDED,
  failed: Outcome.FAILED,
  cancelled: Outcome.CANCELLED,
} as const satisfies Record<ExecutorEnd['outcome'], Outcome>;

const REASONS = {
  unstarted: ReturnReason.UNSTARTED,
  drained: ReturnReason.DRAINED,
  superseded: ReturnReason.SUPERSEDED,
  lease_lost: ReturnReason.LEASE_LOST,
  executor_lost: ReturnReason.EXECUTOR_LOST,
  freeze_limit: ReturnReason.FREEZE_LIMIT,
} as const satisfies Record<CoreReturnReason, ReturnReason>;

export function toReturnReason(reason: CoreReturnReason): ReturnReason {
  return REASONS[reason];
}

export function toFinished(ref: AttemptRef, number: number, ended: ExecutorEnd): FinishedAttempt {
  const { end } = withBoundedResult(ended);
  return {
    attempt: ref,
    number,
    outcome: OUTCOMES[end === ended.end ? ended.outcome : 'failed'],
    exitCode: end.exitCode ?? undefined,
    signal: end.signal ?? '',
    failureReason: end.failure?.reason ?? '',
    failureMessage: end.failure?.message ?? '',
    resultJson: end.result === undefined ? undefined : JSON.stringify(end.result),
    stdoutBytes: end.output.stdoutBytes,
    stderrBytes: end.output.stderrBytes,
    truncated: end.output.truncated,
    startedAt: Math.round(ended.startedAtWallMs),
    durationMs: Math.max(0, Math.round(ended.durationMs)),
    wasFrozen: ended.wasFrozen ?? false,
    retryable: ended.retryable,
    output: [],
  };
}

export function toOutputChunk(ref: AttemptRef, output: ExecutorOutput): OutputChunk {
  const { offset, sequence, data } = output;
  return { attempt: ref, stream: toOutputStream(output.stream), offset, sequence, data };
}

/** The first message on each stream. */
export function toHello(
  { pools, labels, ...identity }: WorkerIdentity,
  said: Pick<Hello, 'session' | 'number' | 'hasRun' | 'held' | 'draining'>,
): WorkerMessage {
  const value = { ...identity, pools: [...pools], labels: { ...labels }, ...said };
  return { message: { $case: 'hello', value } };
}

export function toOutputStream(stream: OutputStreamName): OutputStream {
  return stream === 'stdout' ? OutputStream.STDOUT : OutputStream.STDERR;
}

export function fromOutputStream(stream: OutputStream): OutputStreamName {
  return stream === OutputStream.STDERR ? 'stderr' : 'stdout';
}

/** A larger result would not fit into what the store keeps of a job; the attempt fails for it, and says so. */
function withBoundedResult(ended: ExecutorEnd): Pick<ExecutorEnd, 'end'> {
  const { end } = ended;
  const bytes = end.result === undefined ? 0 : Buffer.byteLength(JSON.stringify(end.result));
  if (bytes <= MAX_RESULT_BYTES) {
    return ended;
  }
  const message = `the result has ${bytes} bytes as JSON: expected at most ${MAX_RESULT_BYTES}`;
  return { end: { ...end, result: undefined, failure: { reason: 'handler_error', message } } };
}
