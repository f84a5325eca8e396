import type { JobId } from './ids.js';
import type { JobState } from './job-state.js';

/** The wait before the attempt after a failed one. Milliseconds; `factor` is for `exponential`. */
export interface Backoff {
  type: 'exponential' | 'fixed' | 'linear';
  delayMs: number;
  factor: number;
  maxDelayMs: number;
  /** `full`: a random wait between half of the computed one (the floor) and the computed one. `none`: exactly it. */
  jitter: 'full' | 'none';
}

export const DEFAULT_BACKOFF: Backoff = {
  type: 'exponential',
  delayMs: 1_000,
  factor: 2,
  maxDelayMs: 300_000,
  jitter: 'full',
};

export const DEFAULT_POOL = 'default';
export const DEFAULT_ATTEMPTS = 1;
export const DEFAULT_MAX_WORKER_LOSSES = 5;
export const DEFAULT_TIMEOUT_MS = 3_600_000;
export const DEFAULT_KILL_GRACE_MS = 5_000;
/** How long an attempt may stay frozen before it is killed. */
export const DEFAULT_FREEZE_LIMIT_MS = 600_000;
export const DEFAULT_RETAIN_MS = 7 * 86_400_000;
export const MIN_PRIORITY = -1_000;
export const MAX_PRIORITY = 1_000;
/** A result of a handler, as JSON, in bytes. A larger one fails the attempt as `handler_error`. */
export const MAX_RESULT_BYTES = 256 * 1024;
/**
 * A job's spec as the JSON that is kept, in bytes: far below what a worker takes in one message (4 MiB). One that no
 * worker can be sent would break the stream of each worker that it is assigned to, for ever.
 */
export const MAX_SPEC_BYTES = 1024 * 1024;
/** A single string handed to execve(2), in bytes: Linux' own limit. */
export const MAX_ARG_BYTES = 128 * 1024;

export const ON_LEASE_LOST = ['freeze', 'kill', 'continue'] as const;
/**
 * What its worker does with an attempt when it is cut off from all schedulers for as long as its lease: stop it until it
 * is confirmed or given away, kill it, or let it go on (it may then overlap with another one; one result is accepted).
 */
export type OnLeaseLost = (typeof ON_LEASE_LOST)[number];
export const DEFAULT_ON_LEASE_LOST: OnLeaseLost = 'freeze';

/**
 * What is to be run. Immutable, written once as one JSON field, opaque to Lua. Exactly one of `command`, `argv` and
 * `handler` is set. Fields that have their default are left out.
 */
export interface JobSpec {
  name: string;
  command?: string;
  argv?: string[];
  handler?: string;
  /** Any JSON, for `handler`. */
  data?: unknown;
  /** Default 0. */
  priority?: number;
  /** For one attempt; 0 = none; default `DEFAULT_TIMEOUT_MS`. */
  timeoutMs?: number;
  /** Between SIGTERM and SIGKILL; default: the worker's `executor.killGrace`. */
  killGraceMs?: number;
  /** Default `DEFAULT_ON_LEASE_LOST`. */
  onLeaseLost?: OnLeaseLost;
  /** Default `DEFAULT_FREEZE_LIMIT_MS`. */
  freezeLimitMs?: number;
  env?: Record<string, string>;
  cwd?: string;
  stdin?: string;
  labels?: Record<string, string>;
  batchId?: string;
  /** Name of the token that it was submitted with, where tokens are asked for. */
  submittedBy?: string;
  /** W3C trace context of the submission. */
  traceparent?: string;
}

/** What scripts need to know of a job. A second small JSON field that holds only what differs from the defaults. */
export interface JobRule {
  attempts?: number;
  maxWorkerLosses?: number;
  backoff?: Backoff;
  noRetryExitCodes?: number[];
  retainMs?: number;
  batchId?: string;
}

export const ATTEMPT_OUTCOMES = ['succeeded', 'failed', 'cancelled', 'lost', 'returned'] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

export const FAILURE_REASONS = [
  'exit_code',
  'signal',
  'timeout',
  'spawn_error',
  'handler_error',
  'worker_lost',
  'dependency_failed',
  'cancelled',
  'expired',
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

export interface Failure {
  reason: FailureReason;
  message: string;
}

/** Why a worker gives an attempt back. The first three are free, the others count as a loss. */
export const RETURN_REASONS = [
  'unstarted',
  'drained',
  'superseded',
  'lease_lost',
  'executor_lost',
  'freeze_limit',
] as const;
export type ReturnReason = (typeof RETURN_REASONS)[number];

export const FREE_RETURN_REASONS: readonly ReturnReason[] = ['unstarted', 'drained', 'superseded'];

export interface OutputCounts {
  stdoutBytes: number;
  stderrBytes: number;
  truncated: boolean;
}

/** How an attempt ended, as the worker reports it and as it is kept with the job. JSON, opaque to Lua. */
export interface AttemptEnd {
  exitCode: number | null;
  signal: string | null;
  failure: Failure | null;
  result?: unknown;
  output: OutputCounts;
}

export interface AttemptRecord {
  number: number;
  fence: number;
  worker: string;
  startedAt: number;
  finishedAt: number | null;
  outcome: AttemptOutcome | null;
  exitCode: number | null;
  signal: string | null;
  reason: string | null;
}

/** A job as the store answers it. Times are milliseconds since 1970 by Redis' clock. */
export interface Job {
  id: JobId;
  pool: string;
  spec: JobSpec;
  rule: JobRule;
  state: JobState;
  createdAt: number;
  /** When it last became `queued`. */
  queuedAt: number | null;
  startedAt: number | null;
  finishedAt: number | null;
  cancelRequestedAt: number | null;
  /** For `scheduled`: when it is due, and why it waits. */
  dueAt: number | null;
  scheduledFor: 'delay' | 'backoff' | null;
  worker: string | null;
  session: string | null;
  attemptId: string | null;
  fence: number;
  /** Starts so far. */
  starts: number;
  /** Attempts that failed since it was submitted or retried by hand. */
  failures: number;
  workerLosses: number;
  end: AttemptEnd | null;
  /** The last 20, oldest first, the current or final one included. */
  history: AttemptRecord[];
}
