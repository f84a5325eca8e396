import type { Failure, OutputCounts } from '@orchestrator/core';

import type { ExecutorEnd, ExecutorOutput } from '../executor.js';
import type { HandlerOutcome } from './handler-wire.js';

export interface HandlerEndParams {
  attemptId: string;
  startedAtWallMs: number;
  durationMs: number;
  /** None when its thread was ended. */
  outcome: HandlerOutcome | undefined;
  counts: OutputCounts | undefined;
  output: ExecutorOutput[];
  endRequest: { reason: 'timeout' | 'cancelled'; message: string } | undefined;
}

/** One that was asked to end has not succeeded, whatever it returns. */
export function toHandlerEnd(params: HandlerEndParams): ExecutorEnd {
  const { attemptId, startedAtWallMs, durationMs, outcome, output, endRequest } = params;
  const failure: Failure | null = endRequest ?? (outcome?.ok === false ? toFailure(outcome.message) : null);
  const resultJson = failure === null && outcome?.ok ? outcome.resultJson : undefined;
  return {
    attemptId,
    outcome: failure === null ? 'succeeded' : failure.reason === 'cancelled' ? 'cancelled' : 'failed',
    end: {
      exitCode: null,
      signal: null,
      failure,
      ...(resultJson === undefined ? {} : { result: JSON.parse(resultJson) as unknown }),
      output: params.counts ?? { stdoutBytes: 0, stderrBytes: 0, truncated: false },
    },
    retryable:
      failure?.reason === 'timeout' || (outcome?.ok === false && outcome.retryable && endRequest === undefined),
    startedAtWallMs,
    durationMs,
    output,
  };
}

function toFailure(message: string): Failure {
  return { reason: 'handler_error', message };
}
