import {
  type AttemptEnd,
  FAILURE_REASONS,
  type FailureReason,
  type JobAddress,
  parseJobId,
  type ReturnReason as CoreReturnReason,
} from '@orchestrator/core';
import {
  type AttemptRef,
  type Finished,
  type FinishedAttempt,
  HeldState,
  Outcome,
  OutputStream,
  type OutputChunk as WireChunk,
  type PackedEnd,
  ReturnReason,
  type Returned,
  type ReturnedAttempt,
  unpackEnds,
} from '@orchestrator/proto-types';
import type { AttemptKey, GiveBack, HeldAttempt, OutputChunk, Settlement } from '@orchestrator/queue';

/** An attempt as named on the wire, with its pool apart. */
export interface NamedAttempt {
  ref: AttemptRef;
  pool: string;
  key: AttemptKey;
}

/** Ours are shorter. What cannot be one is never looked for, kept or logged. */
const ATTEMPT_ID = /^[\w.-]{1,64}$/;

/** Undefined when it is missing or cannot be an attempt. */
export function parseAttempt(ref: AttemptRef | undefined): NamedAttempt | undefined {
  const address: JobAddress | undefined = ref && parseJobId(ref.jobId);
  if (
    ref === undefined ||
    address === undefined ||
    !ATTEMPT_ID.test(ref.attemptId) ||
    !Number.isSafeInteger(ref.fence)
  ) {
    return undefined;
  }
  return {
    ref,
    pool: address.pool,
    key: { ulid: address.ulid, attemptId: ref.attemptId, fence: ref.fence },
  };
}

/** What a worker reports about one attempt; a part that makes no sense is undefined. */
export interface WireReport {
  attempt: NamedAttempt | undefined;
  report: Settlement | GiveBack | undefined;
  /** Which start it was, from 1; 0 when unknown. */
  number: number;
}

export function toReports(
  message: { $case: 'finished'; value: Finished } | { $case: 'returned'; value: Returned },
): WireReport[] {
  if (message.$case === 'finished') {
    const packed = unpackEnds(message.value.packed).map((end) => {
      const attempt = parseAttempt(end.attempt);
      return { attempt, report: attempt && toPlainSettlement(attempt, end), number: end.number || 0 };
    });
    const whole = message.value.attempts.map((finished) => {
      const attempt = parseAttempt(finished.attempt);
      return { attempt, report: attempt && toSettlement(attempt, finished), number: finished.number };
    });
    return whole.length === 0 ? packed : [...packed, ...whole];
  }
  return message.value.attempts.map((returned) => {
    const attempt = parseAttempt(returned.attempt);
    return { attempt, report: attempt && toGiveBack(attempt, returned), number: 0 };
  });
}

const HELD_STATES: Partial<Record<HeldState, HeldAttempt['state']>> = {
  [HeldState.RUNNING]: 'running',
  [HeldState.FROZEN]: 'frozen',
  [HeldState.FINISHED]: 'finished',
  [HeldState.RETURNED]: 'returned',
};

/** A state that a newer worker may know and we do not counts as running: it is held, whatever it does. */
export function toHeldAttempt(attempt: NamedAttempt, state: HeldState, number: number): HeldAttempt {
  return { ...attempt.key, number, state: HELD_STATES[state] ?? 'running' };
}

const OUTCOMES: Partial<Record<Outcome, Settlement['outcome']>> = {
  [Outcome.SUCCEEDED]: 'succeeded',
  [Outcome.FAILED]: 'failed',
  [Outcome.CANCELLED]: 'cancelled',
};

/** What it reports about an attempt; undefined when the outcome is none. */
function toSettlement(attempt: NamedAttempt, finished: FinishedAttempt): Settlement | undefined {
  const outcome = OUTCOMES[finished.outcome];
  if (outcome === undefined) {
    return undefined;
  }
  const { ulid, attemptId, fence } = attempt.key;
  return {
    ulid,
    attemptId,
    fence,
    outcome,
    end: isPlain(finished) ? toPlainEnd(finished.exitCode) : toAttemptEnd(finished, outcome),
    retryable: finished.retryable,
    wasFrozen: finished.wasFrozen,
    output:
      finished.output.length === 0
        ? NO_OUTPUT
        : finished.output.flatMap((chunk) => toOutputChunk(attempt, chunk) ?? []),
  };
}

function toPlainSettlement({ key }: NamedAttempt, { exitCode, resultJson }: PackedEnd): Settlement {
  const end = toPlainEnd(exitCode);
  return {
    ulid: key.ulid,
    attemptId: key.attemptId,
    fence: key.fence,
    outcome: 'succeeded',
    end: resultJson === undefined ? end : { ...end, result: parseResult(resultJson) },
    retryable: false,
    wasFrozen: false,
    output: NO_OUTPUT,
  };
}

const NO_OUTPUT: readonly OutputChunk[] = [];

/** It succeeded, and nothing is to be said of it. */
function isPlain({
  outcome,
  exitCode,
  signal,
  resultJson,
  stdoutBytes,
  stderrBytes,
  truncated,
}: FinishedAttempt): boolean {
  return (
    outcome === Outcome.SUCCEEDED &&
    (exitCode === undefined || exitCode === 0) &&
    signal === '' &&
    resultJson === undefined &&
    stdoutBytes === 0 &&
    stderrBytes === 0 &&
    !truncated
  );
}

/** One object for all of them: most ends are such, and the store compares before it writes JSON. */
function toPlainEnd(exitCode: number | undefined): AttemptEnd {
  return exitCode === undefined ? PLAIN_HANDLER_END : PLAIN_COMMAND_END;
}

const PLAIN_HANDLER_END: AttemptEnd = {
  exitCode: null,
  signal: null,
  failure: null,
  output: { stdoutBytes: 0, stderrBytes: 0, truncated: false },
};
const PLAIN_COMMAND_END: AttemptEnd = { ...PLAIN_HANDLER_END, exitCode: 0 };

function toAttemptEnd(finished: FinishedAttempt, outcome: Settlement['outcome']): AttemptEnd {
  const end: AttemptEnd = {
    exitCode: finished.exitCode ?? null,
    signal: finished.signal === '' ? null : finished.signal,
    failure:
      outcome === 'succeeded' ? null : { reason: toFailureReason(finished, outcome), message: finished.failureMessage },
    output: {
      stdoutBytes: finished.stdoutBytes,
      stderrBytes: finished.stderrBytes,
      truncated: finished.truncated,
    },
  };
  return finished.resultJson === undefined ? end : { ...end, result: parseResult(finished.resultJson) };
}

function toFailureReason(finished: FinishedAttempt, outcome: 'failed' | 'cancelled'): FailureReason {
  const known = FAILURE_REASONS.find((reason) => reason === finished.failureReason);
  return known ?? (outcome === 'cancelled' ? 'cancelled' : finished.signal === '' ? 'exit_code' : 'signal');
}

/** A result that is no JSON is kept as the text that it is: the attempt has ended, and nobody could do better later. */
function parseResult(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return json;
  }
}

const RETURN_REASON_NAMES: Partial<Record<ReturnReason, CoreReturnReason>> = {
  [ReturnReason.UNSTARTED]: 'unstarted',
  [ReturnReason.DRAINED]: 'drained',
  [ReturnReason.SUPERSEDED]: 'superseded',
  [ReturnReason.LEASE_LOST]: 'lease_lost',
  [ReturnReason.EXECUTOR_LOST]: 'executor_lost',
  [ReturnReason.FREEZE_LIMIT]: 'freeze_limit',
};

function toGiveBack(attempt: NamedAttempt, returned: ReturnedAttempt): GiveBack | undefined {
  const reason = RETURN_REASON_NAMES[returned.reason];
  return reason && { ...attempt.key, reason, started: returned.started };
}

/** The store knows which start an attempt is: it is the one that holds the job, or the chunk is refused. */
const NUMBER_KNOWN_BY_STORE = 0;

export function toOutputChunk(attempt: NamedAttempt, chunk: WireChunk): OutputChunk | undefined {
  if (chunk.stream !== OutputStream.STDOUT && chunk.stream !== OutputStream.STDERR) {
    return undefined;
  }
  return {
    ...attempt.key,
    number: NUMBER_KNOWN_BY_STORE,
    stream: chunk.stream === OutputStream.STDOUT ? 'stdout' : 'stderr',
    offset: chunk.offset,
    sequence: chunk.sequence,
    data: chunk.data,
  };
}
