import type { Clock, Failure, OutputCounts } from '@orchestrator/core';

import type { ExecutorEnd, ExecutorOutput } from '../executor.js';
import type { HandlerOutcome } from './handler-wire.js';

/** Why it was asked to end. */
export interface EndRequest {
  reason: 'timeout' | 'cancelled';
  message: string;
}

export interface HandlerEndParams {
  attemptId: string;
  startedAtWallMs: number;
  durationMs: number;
  /** None when its thread was ended. */
  outcome: HandlerOutcome | undefined;
  counts: OutputCounts | undefined;
  output: ExecutorOutput[];
  endRequest: EndRequest | undefined;
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
      output: params.counts ?? { stdoutBytes: 0, stderrBytes: 0, truncated: false },
    },
    ...(resultJson === undefined ? undefined : { resultJson }),
    retryable:
      failure?.reason === 'timeout' || (outcome?.ok === false && outcome.retryable && endRequest === undefined),
    startedAtWallMs,
    durationMs,
    output,
  };
}

/** Of one whose thread was ended with it, or that never started: nothing of its own is known. */
export function unsettledEnd(
  attemptId: string,
  endRequest: EndRequest,
  clock: Clock,
  started?: { startedAtMs: number | undefined; startedAtWallMs: number },
): ExecutorEnd {
  const now = clock.monotonicMs();
  return toHandlerEnd({
    attemptId,
    startedAtWallMs: started?.startedAtWallMs ?? clock.wallMs(),
    durationMs: Math.round(now - (started?.startedAtMs ?? now)),
    outcome: undefined,
    counts: undefined,
    output: [],
    endRequest,
  });
}

function toFailure(message: string): Failure {
  return { reason: 'handler_error', message };
}
