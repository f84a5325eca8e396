export type {
  AttemptEnd,
  AttemptOutcome,
  AttemptRecord,
  Backoff,
  Failure,
  FailureReason,
  Job,
  JobRule,
  JobSpec,
  OnLeaseLost,
  OutputCounts,
  ReturnReason,
} from './job.js';
export {
  ATTEMPT_OUTCOMES,
  DEFAULT_ATTEMPTS,
  DEFAULT_BACKOFF,
  DEFAULT_FREEZE_LIMIT_MS,
  DEFAULT_KILL_GRACE_MS,
  DEFAULT_ON_LEASE_LOST,
  ON_LEASE_LOST,
  DEFAULT_MAX_WORKER_LOSSES,
  DEFAULT_POOL,
  DEFAULT_RETAIN_MS,
  DEFAULT_TIMEOUT_MS,
  FAILURE_REASONS,
  FREE_RETURN_REASONS,
  MAX_ARG_BYTES,
  MAX_PRIORITY,
  MAX_RESULT_BYTES,
  MAX_SPEC_BYTES,
  MIN_PRIORITY,
  RETURN_REASONS,
} from './job.js';
export type { FinalState, JobState } from './job-state.js';
export { canTransition, FINAL_STATES, isFinal, isJobState, JOB_STATES, TRANSITIONS } from './job-state.js';
export type { JobAddress, JobId, Ulid } from './ids.js';
export {
  createUlids,
  NAME_PATTERN,
  parseJobId,
  POOL_PATTERN,
  requireName,
  requirePoolName,
  toJobId,
  ULID_PATTERN,
} from './ids.js';
export type { Clock, Timer } from './clock.js';
export { MAX_TIMER_MS, sleep, systemClock } from './clock.js';
export { toIsoTime } from './iso-time.js';
export type { Random } from './random.js';
export { fullJitterMs, systemRandom } from './random.js';
export type { Duration } from './duration.js';
export { DURATION_PATTERN, parseDurationMs } from './duration.js';
export { InvalidValueError, OrchestratorError } from './errors.js';
export { MAX_MINORS_APART, mayWorkTogether } from './version-skew.js';
