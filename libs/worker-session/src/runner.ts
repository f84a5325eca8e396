import type { ExecutorEvents, OutputStreamName } from '@orchestrator/execution';
import type { JobSpec } from '@orchestrator/core';
import type { AttemptRef } from '@orchestrator/proto-types';

/** What a session runs its attempts with: commands and handlers behind one port. */
export interface AttemptRunner {
  start(): Promise<void>;
  /**
   * What becomes of it arrives through the events. Never throws for an attempt that cannot start. `slots`: so many that hold
   * one may run at once, this one with them; what is beyond them stands by, in its order, for the first of them to end.
   */
  run(attempt: AssignedAttempt, slots: number): void;
  /** Such jobs are handed over before they have a slot: it starts them in order, as it has `lend`ed ones. */
  takesAhead(spec: JobSpec): boolean;
  /** How many of those may run at once from now on. */
  lend(slots: number): void;
  /**
   * Of what was handed over ahead: true: it has not started, and never will; nothing is reported. Of what stands by: false,
   * and if it has not started it is soon reported as unstarted.
   */
  recall(attemptId: string): boolean;
  /** Asks it to end; it then ends as `cancelled`. */
  cancel(attemptId: string, reason: string): void;
  /** Everything of it is dead when this resolves. Nothing is reported. */
  kill(attemptId: string): Promise<void>;
  killAll(): Promise<void>;
  /** The lease was confirmed for something sent at this instant of the uptime clock. */
  renewLease(sentAtUptimeMs: number, leaseMs: number): void;
  /** `held` was said of these in answer to something sent at this instant: what was frozen before it goes on. */
  confirmHeld(attemptIds: readonly string[], sentAtUptimeMs: number): void;
  acknowledgeOutput(attemptId: string, stream: OutputStreamName, endOffset: number): void;
  /** Everything dead, nothing left running, no last will. */
  stop(): Promise<void>;
}

export type RunnerEvents = ExecutorEvents;

/** One runner for each session: its last will names the session. */
export type RunnerFactory = (session: string, events: RunnerEvents) => AttemptRunner;

export interface AssignedAttempt {
  ref: AttemptRef;
  spec: JobSpec;
  /** The same as it arrived. */
  specJson: string;
  /** Counts every start of the job from 1. */
  number: number;
  traceparent: string;
}
