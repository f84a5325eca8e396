import { DEFAULT_FREEZE_LIMIT_MS, DEFAULT_ON_LEASE_LOST, DEFAULT_TIMEOUT_MS } from '@orchestrator/core';
import type { AttemptToRun, HandlerToRun } from '@orchestrator/execution';

import type { AssignedAttempt } from './runner.js';

/** What a worker adds to jobs that say nothing of it. */
export interface RunDefaults {
  killGraceMs: number;
  /** Captured of each stream. */
  maxOutputBytes: number;
}

/** A command as the executor wants it. The job's own environment never overrides what we say of the attempt. */
export function toCommand(
  { ref, spec, number, traceparent }: AssignedAttempt,
  workerId: string,
  defaults: RunDefaults,
): AttemptToRun {
  const env: Record<string, string> = {
    ...spec.env,
    ORCHESTRATOR_JOB_ID: ref.jobId,
    ORCHESTRATOR_JOB_NAME: spec.name,
    ORCHESTRATOR_ATTEMPT: String(number),
    ORCHESTRATOR_FENCE: String(ref.fence),
    ORCHESTRATOR_WORKER_ID: workerId,
  };
  if (spec.batchId !== undefined) {
    env['ORCHESTRATOR_BATCH_ID'] = spec.batchId;
  }
  if (traceparent !== '') {
    env['TRACEPARENT'] = traceparent;
  }
  const { command, argv, cwd, stdin } = spec;
  return {
    attemptId: ref.attemptId,
    ...(command === undefined ? {} : { command }),
    ...(argv === undefined ? {} : { argv }),
    env,
    ...(cwd === undefined ? {} : { cwd }),
    ...(stdin === undefined ? {} : { stdin }),
    timeoutMs: spec.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    killGraceMs: spec.killGraceMs ?? defaults.killGraceMs,
    onLeaseLost: spec.onLeaseLost ?? DEFAULT_ON_LEASE_LOST,
    freezeLimitMs: spec.freezeLimitMs ?? DEFAULT_FREEZE_LIMIT_MS,
    maxOutputBytes: defaults.maxOutputBytes,
  };
}

/** A handler as what runs handlers wants it. */
export function toHandler(
  { ref, spec, specJson, number, traceparent }: AssignedAttempt,
  workerId: string,
  defaults: RunDefaults,
): HandlerToRun {
  return {
    attemptId: ref.attemptId,
    jobId: ref.jobId,
    attempt: number,
    fence: ref.fence,
    traceparent,
    workerId,
    specJson,
    maxOutputBytes: defaults.maxOutputBytes,
    timeoutMs: spec.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    killGraceMs: spec.killGraceMs ?? defaults.killGraceMs,
    onLeaseLost: spec.onLeaseLost ?? DEFAULT_ON_LEASE_LOST,
  };
}
