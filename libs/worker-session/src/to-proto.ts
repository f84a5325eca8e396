import type { ExecutorEnd, ExecutorOutput, OutputStreamName } from '@orchestrator/execution';
import { type Failure, MAX_RESULT_BYTES, type ReturnReason as CoreReturnReason } from '@orchestrator/core';
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

/** A larger result would not fit into what the store keeps of a job; the attempt fails for it, and says so. */
export function toFinished(ref: AttemptRef, number: number, ended: ExecutorEnd): FinishedAttempt {
  const { end, resultJson } = ended;
  const resultBytes = resultJson === undefined ? 0 : Buffer.byteLength(resultJson);
  const isTooLarge = resultBytes > MAX_RESULT_BYTES;
  const failure = isTooLarge ? tooLarge(resultBytes) : end.failure;
  return {
    attempt: ref,
    number,
    outcome: OUTCOMES[isTooLarge ? 'failed' : ended.outcome],
    exitCode: end.exitCode ?? undefined,
    signal: end.signal ?? '',
    failureReason: failure?.reason ?? '',
    failureMessage: failure?.message ?? '',
    resultJson: isTooLarge ? undefined : resultJson,
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

function tooLarge(bytes: number): Failure {
  const message = `the result has ${bytes} bytes as JSON: expected at most ${MAX_RESULT_BYTES}`;
  return { reason: 'handler_error', message };
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
  const value = { ...identity, pools: [...pools], labels: { ...labels }, ...said, packed: true };
  return { message: { $case: 'hello', value } };
}

export function toOutputStream(stream: OutputStreamName): OutputStream {
  return stream === 'stdout' ? OutputStream.STDOUT : OutputStream.STDERR;
}

export function fromOutputStream(stream: OutputStream): OutputStreamName {
  return stream === OutputStream.STDERR ? 'stderr' : 'stdout';
}
