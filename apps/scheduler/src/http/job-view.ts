import {
  DEFAULT_ATTEMPTS,
  DEFAULT_BACKOFF,
  DEFAULT_FREEZE_LIMIT_MS,
  DEFAULT_MAX_WORKER_LOSSES,
  DEFAULT_ON_LEASE_LOST,
  DEFAULT_RETAIN_MS,
  DEFAULT_TIMEOUT_MS,
  FAILURE_REASONS,
  type Job,
  JOB_STATES,
  ON_LEASE_LOST,
  toIsoTime,
} from '@orchestrator/core';
import { type Static, type TSchema, Type } from 'typebox';

const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = Type.String({ format: 'date-time' });
const Seconds = Type.Number({ minimum: 0, description: 'Seconds.' });
const Count = Type.Integer({ minimum: 0 });

export const WAITING_REASONS = ['scheduled', 'backoff', 'no_workers', 'slots_busy'] as const;

export const Waiting = Type.Object({
  reason: Type.Enum([...WAITING_REASONS]),
  detail: Type.String({ description: 'A sentence for a person.' }),
  position: Type.Optional(Type.Integer({ minimum: 0, description: 'Jobs that go first; approximate.' })),
  until: Type.Optional(Time),
});
export type Waiting = Static<typeof Waiting>;

const Attempt = Type.Object({
  number: Count,
  fence: Count,
  worker: Type.String(),
  startedAt: Time,
  finishedAt: orNull(Time),
  outcome: orNull(Type.Enum(['succeeded', 'failed', 'cancelled', 'lost', 'returned'])),
  exitCode: orNull(Type.Integer()),
  signal: orNull(Type.String()),
  reason: orNull(Type.String()),
});

export const JobView = Type.Object({
  id: Type.String(),
  name: Type.String(),
  pool: Type.String(),
  state: Type.Enum([...JOB_STATES]),
  priority: Type.Integer(),
  command: Type.Optional(Type.String()),
  argv: Type.Optional(Type.Array(Type.String())),
  handler: Type.Optional(Type.String()),
  data: Type.Optional(Type.Unknown()),
  cwd: Type.Optional(Type.String()),
  timeout: Seconds,
  killGrace: orNull(
    Type.Number({ minimum: 0, description: "Seconds; null: what its worker's executor.killGrace says." }),
  ),
  onLeaseLost: Type.Enum([...ON_LEASE_LOST]),
  freezeLimit: Seconds,
  backoff: Type.Object({
    type: Type.Enum(['exponential', 'fixed', 'linear']),
    delay: Seconds,
    factor: Type.Number(),
    maxDelay: Seconds,
    jitter: Type.Enum(['full', 'none']),
  }),
  noRetryExitCodes: Type.Array(Type.Integer()),
  retain: Seconds,
  labels: Type.Record(Type.String(), Type.String()),
  batchId: orNull(Type.String()),
  submittedBy: orNull(Type.String({ description: 'Name of the token; null where none was asked for.' })),
  workflowId: Type.Null(),
  createdAt: Time,
  queuedAt: orNull(Time),
  startedAt: orNull(Time),
  finishedAt: orNull(Time),
  cancelRequestedAt: orNull(Time),
  worker: orNull(Type.String()),
  attempt: Type.Integer({ minimum: 0, description: 'Starts so far.' }),
  attempts: Type.Integer({ minimum: 1, description: 'The limit of failures.' }),
  workerLosses: Count,
  maxWorkerLosses: Count,
  exitCode: orNull(Type.Integer()),
  signal: orNull(Type.String()),
  result: Type.Unknown({ description: 'What a handler returned, else null.' }),
  failure: orNull(Type.Object({ reason: Type.Enum([...FAILURE_REASONS]), message: Type.String() })),
  output: Type.Object({ stdoutBytes: Count, stderrBytes: Count, truncated: Type.Boolean() }),
  waiting: orNull(Waiting),
  history: Type.Array(Attempt, { description: 'The last 20 attempts, oldest first.' }),
});
export type JobView = Static<typeof JobView>;

/** Of what was cancelled when no attempt of it ran: the same answer as when a worker was told to end it. */
const CANCELLED = { reason: 'cancelled', message: 'cancel requested' } as const;

/** A job as it is answered. `env` and `stdin` may hold secrets and never are. */
export function toJobView(job: Job, waiting: Waiting | undefined): JobView {
  const { spec, rule, end } = job;
  const backoff = rule.backoff ?? DEFAULT_BACKOFF;
  return {
    id: job.id,
    name: spec.name,
    pool: job.pool,
    state: job.state,
    priority: spec.priority ?? 0,
    ...(spec.command === undefined ? {} : { command: spec.command }),
    ...(spec.argv === undefined ? {} : { argv: spec.argv }),
    ...(spec.handler === undefined ? {} : { handler: spec.handler }),
    ...(spec.data === undefined ? {} : { data: spec.data }),
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
    timeout: toSeconds(spec.timeoutMs ?? DEFAULT_TIMEOUT_MS),
    killGrace: spec.killGraceMs === undefined ? null : toSeconds(spec.killGraceMs),
    onLeaseLost: spec.onLeaseLost ?? DEFAULT_ON_LEASE_LOST,
    freezeLimit: toSeconds(spec.freezeLimitMs ?? DEFAULT_FREEZE_LIMIT_MS),
    backoff: {
      type: backoff.type,
      delay: toSeconds(backoff.delayMs),
      factor: backoff.factor,
      maxDelay: toSeconds(backoff.maxDelayMs),
      jitter: backoff.jitter,
    },
    noRetryExitCodes: rule.noRetryExitCodes ?? [],
    retain: toSeconds(rule.retainMs ?? DEFAULT_RETAIN_MS),
    labels: spec.labels ?? {},
    batchId: spec.batchId ?? null,
    submittedBy: spec.submittedBy ?? null,
    workflowId: null,
    createdAt: toTime(job.createdAt),
    queuedAt: toTimeOrNull(job.queuedAt),
    startedAt: toTimeOrNull(job.startedAt),
    finishedAt: toTimeOrNull(job.finishedAt),
    cancelRequestedAt: toTimeOrNull(job.cancelRequestedAt),
    worker: job.worker,
    attempt: job.starts,
    attempts: rule.attempts ?? DEFAULT_ATTEMPTS,
    workerLosses: job.workerLosses,
    maxWorkerLosses: rule.maxWorkerLosses ?? DEFAULT_MAX_WORKER_LOSSES,
    exitCode: end?.exitCode ?? null,
    signal: end?.signal ?? null,
    result: end?.result ?? null,
    failure: end?.failure ?? (job.state === 'cancelled' ? CANCELLED : null),
    output: end?.output ?? { stdoutBytes: 0, stderrBytes: 0, truncated: false },
    waiting: waiting ?? null,
    history: job.history.map((attempt) => ({
      ...attempt,
      startedAt: toTime(attempt.startedAt),
      finishedAt: toTimeOrNull(attempt.finishedAt),
    })),
  };
}

export function toTime(ms: number): string {
  return toIsoTime(ms);
}

function toTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : toTime(ms);
}

function toSeconds(ms: number): number {
  return ms / 1_000;
}
