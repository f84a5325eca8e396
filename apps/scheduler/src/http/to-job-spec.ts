import {
  type Backoff,
  DEFAULT_ATTEMPTS,
  DEFAULT_BACKOFF,
  DEFAULT_FREEZE_LIMIT_MS,
  DEFAULT_MAX_WORKER_LOSSES,
  DEFAULT_ON_LEASE_LOST,
  DEFAULT_POOL,
  DEFAULT_RETAIN_MS,
  DEFAULT_TIMEOUT_MS,
  type Duration,
  type JobRule,
  type JobSpec,
  MAX_ARG_BYTES,
  MAX_SPEC_BYTES,
  parseDurationMs,
  type Ulid,
} from '@orchestrator/core';
import type { NewJob } from '@orchestrator/queue';

import { type JobRequest, MAX_DURATION_S } from './job-schema.js';
import { invalid } from './problem.js';

/** What a checked request asks for, but for its id. */
export interface JobDraft {
  pool: string;
  job: Omit<NewJob, 'ulid'>;
}

export interface SubmissionContext {
  /** Of the body that it came in. */
  bodyBytes: number;
  traceparent: string | undefined;
  /** The token's name. */
  submittedBy: string | undefined;
}

/**
 * Of a body no larger than this no job is too large: only its numbers grow when they are written out (1e20, to five times
 * as much), and what is added is short.
 */
const SMALL_BODY_BYTES = MAX_SPEC_BYTES / 8;

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The header as it may be handed on, or undefined. */
export function toTraceparent(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && TRACEPARENT.test(header) ? header : undefined;
}

/**
 * Turns a request that its schema has passed into what the store keeps; what is at its default is left out. Checks what
 * a schema cannot say.
 * @param at where the job stands in the body, as "jobs[3]"; empty for a single one.
 * @throws {ProblemError} 400
 */
export function toJobDraft(request: JobRequest, at: string, context: SubmissionContext): JobDraft {
  const path = (field: string): string => (at === '' ? field : `${at}.${field}`);
  requireOneProgram(request, path);
  requireArgumentSizes(request, path);
  const ms = (field: keyof JobRequest, value: Duration | undefined): number | undefined =>
    value === undefined ? undefined : toMs(value, path(field));

  const spec = withoutDefaults<JobSpec>(
    {
      name: request.name,
      command: request.command,
      argv: request.argv,
      handler: request.handler,
      data: request.data,
      priority: request.priority,
      timeoutMs: ms('timeout', request.timeout),
      killGraceMs: ms('killGrace', request.killGrace),
      onLeaseLost: request.onLeaseLost,
      freezeLimitMs: toFreezeLimit(ms('freezeLimit', request.freezeLimit), path('freezeLimit')),
      env: emptyToNone(request.env),
      cwd: request.cwd,
      stdin: request.stdin === '' ? undefined : request.stdin,
      labels: emptyToNone(request.labels),
      submittedBy: context.submittedBy,
      traceparent: context.traceparent,
    },
    {
      priority: 0,
      timeoutMs: DEFAULT_TIMEOUT_MS,
      onLeaseLost: DEFAULT_ON_LEASE_LOST,
      freezeLimitMs: DEFAULT_FREEZE_LIMIT_MS,
    },
  );
  const isSmall = context.bodyBytes <= SMALL_BODY_BYTES;
  if (!isSmall) {
    requireSpecSize(spec, at);
  }
  const rule = withoutDefaults<JobRule>(
    {
      attempts: request.attempts,
      maxWorkerLosses: request.maxWorkerLosses,
      backoff: toBackoff(request.backoff, path('backoff')),
      noRetryExitCodes: request.noRetryExitCodes?.length === 0 ? undefined : request.noRetryExitCodes,
      retainMs: ms('retain', request.retain),
    },
    { attempts: DEFAULT_ATTEMPTS, maxWorkerLosses: DEFAULT_MAX_WORKER_LOSSES, retainMs: DEFAULT_RETAIN_MS },
  );
  return {
    pool: request.pool ?? DEFAULT_POOL,
    job: withStartTime({ spec, rule, priority: request.priority ?? 0 }, request, path),
  };
}

/** The draft with its id; of a batch, with that of the batch. */
export function toNewJob({ job }: JobDraft, ulid: string, batchId?: string): NewJob {
  if (batchId !== undefined) {
    job.spec.batchId = batchId;
    job.rule.batchId = batchId;
  }
  // Written out: a copy of an object by `...` costs a microsecond.
  const { spec, rule, priority, delayMs, runAtMs } = job;
  const made: NewJob = { ulid: ulid as Ulid, spec, rule, priority };
  if (delayMs !== undefined) {
    made.delayMs = delayMs;
  }
  if (runAtMs !== undefined) {
    made.runAtMs = runAtMs;
  }
  return made;
}

const PROGRAMS = ['command', 'argv', 'handler'] as const;
const FOR_COMMANDS = ['env', 'cwd', 'stdin'] as const;

function requireOneProgram(request: JobRequest, path: (field: string) => string): void {
  const given = PROGRAMS.filter((field) => request[field] !== undefined);
  if (given.length === 0) {
    throw invalid(path('command'), 'one of command, argv and handler is required');
  }
  if (given.length > 1) {
    throw invalid(
      path(given[1] ?? ''),
      `only one of command, argv and handler may be given, not ${given.join(' and ')}`,
    );
  }
  if (request.data !== undefined && request.handler === undefined) {
    throw invalid(path('data'), 'is only for jobs with a handler');
  }
  for (const field of FOR_COMMANDS) {
    if (request.handler !== undefined && request[field] !== undefined) {
      throw invalid(path(field), 'is not for jobs with a handler');
    }
  }
  if (request.argv?.[0] === '') {
    throw invalid(path('argv[0]'), 'the program is empty');
  }
}

/** Of UTF-8, for each unit of a string's length. */
const MAX_BYTES_PER_UNIT = 3;

/** A string of execve(2) ends with a NUL that counts. */
function requireArgumentSizes(request: JobRequest, path: (field: string) => string): void {
  const check = (field: string, text: string): void => {
    const bytes = text.length < MAX_ARG_BYTES / MAX_BYTES_PER_UNIT ? 0 : Buffer.byteLength(text);
    if (bytes >= MAX_ARG_BYTES) {
      throw invalid(path(field), `has ${bytes} bytes: expected less than ${MAX_ARG_BYTES}, the limit of Linux`);
    }
  };
  if (request.command !== undefined) {
    check('command', request.command);
  }
  request.argv?.forEach((argument, index) => check(`argv[${index}]`, argument));
  if (request.env !== undefined) {
    Object.entries(request.env).forEach(([name, value]) => check(`env.${name}`, `${name}=${value}`));
  }
}

/** One message of gRPC must hold it. */
function requireSpecSize(spec: JobSpec, at: string): void {
  // Also where the body was smaller: a number such as 1e20 is written out when it is kept.
  if (Buffer.byteLength(JSON.stringify(spec)) > MAX_SPEC_BYTES) {
    throw invalid(at, 'the job is larger than 1 MiB');
  }
}

function toMs(value: Duration, path: string): number {
  const ms = parseDurationMs(value, path);
  if (ms > MAX_DURATION_S * 1_000) {
    throw invalid(path, 'is longer than ten years');
  }
  return ms;
}

/** Elsewhere 0 means "none"; here it could only mean not to freeze at all. */
function toFreezeLimit(limitMs: number | undefined, path: string): number | undefined {
  if (limitMs === 0) {
    throw invalid(path, 'expected more than 0: a job that is not to be frozen has onLeaseLost "kill"');
  }
  return limitMs;
}

function toBackoff(request: JobRequest['backoff'], path: string): Backoff | undefined {
  if (request === undefined) {
    return undefined;
  }
  const { type, factor, jitter } = request;
  const backoff: Backoff = {
    ...DEFAULT_BACKOFF,
    ...(type === undefined ? {} : { type }),
    ...(factor === undefined ? {} : { factor }),
    ...(jitter === undefined ? {} : { jitter }),
    ...(request.delay === undefined ? {} : { delayMs: toMs(request.delay, `${path}.delay`) }),
    ...(request.maxDelay === undefined ? {} : { maxDelayMs: toMs(request.maxDelay, `${path}.maxDelay`) }),
  };
  const isDefault = (Object.keys(backoff) as (keyof Backoff)[]).every((key) => backoff[key] === DEFAULT_BACKOFF[key]);
  return isDefault ? undefined : backoff;
}

function withStartTime(job: JobDraft['job'], request: JobRequest, path: (field: string) => string): JobDraft['job'] {
  if (request.delay !== undefined && request.runAt !== undefined) {
    throw invalid(path('runAt'), 'only one of delay and runAt may be given');
  }
  if (request.runAt !== undefined) {
    const runAtMs = Date.parse(request.runAt);
    if (!Number.isFinite(runAtMs) || runAtMs < 0) {
      throw invalid(path('runAt'), 'expected a time such as "2026-01-31T12:00:00Z"');
    }
    job.runAtMs = runAtMs;
    return job;
  }
  const delayMs = request.delay === undefined ? 0 : toMs(request.delay, path('delay'));
  if (delayMs > 0) {
    job.delayMs = delayMs;
  }
  return job;
}

type Loose<T> = { [K in keyof T]: T[K] | undefined };

function withoutDefaults<T extends object>(values: Loose<T>, defaults: Partial<T>): T {
  const kept: Partial<T> = {};
  for (const key in values) {
    const value = values[key];
    if (value !== undefined && value !== defaults[key]) {
      kept[key] = value;
    }
  }
  return kept as T;
}

function emptyToNone(record: Record<string, string> | undefined): Record<string, string> | undefined {
  return record === undefined || Object.keys(record).length === 0 ? undefined : record;
}
