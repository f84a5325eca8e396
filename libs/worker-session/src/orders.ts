import { type Clock, InvalidValueError, type JobSpec } from '@orchestrator/core';
import {
  type Assign,
  type Assignment,
  type AttemptRef,
  type CancelOrder,
  type FinishedAttempt,
  Outcome,
  type Recorded,
  unpackAssignments,
  unpackIds,
  type Verdict,
  VerdictKind,
} from '@orchestrator/proto-types';
import type { Logger } from '@orchestrator/telemetry';

import { attemptFields, type AttemptFlow } from './attempt-flow.js';
import { isWithRunner, type NewAttempt } from './attempts.js';
import type { KeptReports } from './kept-reports.js';
import type { AttemptRunner } from './runner.js';
import { toReturnReason } from './to-proto.js';

export interface OrdersParams {
  flow: AttemptFlow;
  reports: KeptReports;
  runner: AttemptRunner;
  clock: Clock;
  logger: Logger;
}

/** What a scheduler says about single attempts, carried out. All of it may be said twice. */
export class Orders {
  constructor(private readonly params: OrdersParams) {}

  assign(assignments: readonly Assignment[]): void {
    const { flow, clock, reports, logger } = this.params;
    const attempts: NewAttempt[] = [];
    const arrivedAtMs = clock.monotonicMs();
    for (const { attempt: ref, specJson, number, traceparent } of assignments) {
      if (ref === undefined) {
        continue;
      }
      try {
        const spec = parseSpec(specJson);
        const trace = traceparent !== '' ? traceparent : (spec.traceparent ?? '');
        attempts.push({ ref, spec, specJson, number, traceparent: trace, arrivedAtMs });
      } catch (error) {
        logger.error('a job cannot be read', { jobId: ref.jobId, error });
        reports.keepFinished(notRun(ref, clock, Outcome.FAILED, 'spawn_error', String(error)));
      }
    }
    flow.add(attempts);
  }

  recorded({ attempts, packed }: Recorded): void {
    this.params.flow.forget([...attempts.map(({ attemptId }) => attemptId), ...unpackIds(packed)]);
  }

  cancel(orders: readonly CancelOrder[]): void {
    const { flow, runner, clock, logger } = this.params;
    for (const { attempt: ref, reason } of orders) {
      const attempt = flow.attempts.get(ref?.attemptId ?? '');
      if (attempt !== undefined && flow.recall(attempt)) {
        logger.info('attempt cancelled before it started', { ...attemptFields(attempt), reason });
        flow.keepFinished(attempt, notRun(attempt.ref, clock, Outcome.CANCELLED, 'cancelled', reason));
      } else if (attempt !== undefined && isWithRunner(attempt) && !attempt.cancelling) {
        attempt.cancelling = true;
        logger.info('cancelling attempt', { ...attemptFields(attempt), reason });
        runner.cancel(attempt.ref.attemptId, reason);
      }
    }
  }

  abandon(refs: readonly AttemptRef[]): void {
    for (const ref of refs) {
      const attempt = this.params.flow.attempts.get(ref.attemptId);
      if (attempt === undefined) {
        this.params.reports.forget(ref.attemptId);
      } else if (attempt.state !== 'closing') {
        this.params.logger.warn('attempt is not ours any more', { ...attemptFields(attempt), state: attempt.state });
        this.params.flow.close(attempt);
      }
    }
  }

  /** The store's word on what this worker holds; `unknown` goes on. */
  verdicts(verdicts: readonly Verdict[]): void {
    for (const { attempt: ref, kind } of verdicts) {
      if (ref !== undefined && kind === VerdictKind.GONE) {
        this.abandon([ref]);
      } else if (ref !== undefined && kind === VerdictKind.HELD) {
        this.confirm(ref);
      }
    }
  }

  /** The store takes it for ours; what we do not have any more goes back for free. */
  private confirm(ref: AttemptRef): void {
    const { flow, reports } = this.params;
    if (flow.attempts.get(ref.attemptId) === undefined && !reports.has(ref.attemptId)) {
      reports.keepReturned({ attempt: ref, reason: toReturnReason('unstarted'), started: false });
    }
  }
}

/** In whichever form they came. */
export function assignmentsOf({ attempts, packed }: Assign): Assignment[] {
  return [...attempts, ...unpackAssignments(packed)];
}

function parseSpec(json: string): JobSpec {
  const spec = JSON.parse(json) as JobSpec;
  const ways = [spec.command, spec.argv, spec.handler].filter((way) => way !== undefined).length;
  if (ways !== 1) {
    throw new InvalidValueError(
      'spec',
      `the job's spec has ${ways} of command, argv and handler: expected exactly one`,
    );
  }
  return spec;
}

function notRun(
  ref: AttemptRef,
  clock: Clock,
  outcome: Outcome,
  failureReason: string,
  failureMessage: string,
): FinishedAttempt {
  return {
    attempt: ref,
    outcome,
    exitCode: undefined,
    signal: '',
    failureReason,
    failureMessage,
    resultJson: undefined,
    stdoutBytes: 0,
    stderrBytes: 0,
    truncated: false,
    startedAt: Math.round(clock.wallMs()),
    durationMs: 0,
    wasFrozen: false,
    retryable: false,
    output: [],
    number: 0,
  };
}
