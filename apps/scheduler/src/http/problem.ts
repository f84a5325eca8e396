import { InvalidValueError, OrchestratorError } from '@orchestrator/core';
import { TimeoutError } from '@orchestrator/lifecycle';
import {
  DurabilityUnknownError,
  InvalidCursorError,
  SchemaMismatchError,
  StoreFullError,
  StoreUnavailableError,
} from '@orchestrator/queue';
import { replyCode } from '@orchestrator/redis';

/** What was wrong with which field. */
export interface FieldError {
  /** As in "jobs[3].timeout"; empty for the body as a whole. */
  path: string;
  message: string;
}

/** RFC 9457, as answered. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors?: FieldError[];
  [extension: string]: unknown;
}

/** Every kind of problem: its slug is the stable end of its URN. */
export const PROBLEMS = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  unauthorized: { status: 401, title: 'A token is asked for' },
  forbidden: { status: 403, title: 'This token may not do that' },
  'cross-site-request': { status: 403, title: 'Requests from other web sites are refused' },
  'host-not-allowed': { status: 403, title: 'This host name is not allowed' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'job-not-found': { status: 404, title: 'There is no such job' },
  'attempt-not-found': { status: 404, title: 'There is no such attempt' },
  'batch-not-found': { status: 404, title: 'There is no such batch' },
  'worker-not-found': { status: 404, title: 'There is no such worker' },
  'method-not-allowed': { status: 405, title: 'This method is not allowed here' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'job-not-cancellable': { status: 409, title: 'The job has ended' },
  'job-not-retryable': { status: 409, title: 'The job cannot be retried' },
  'job-not-final': { status: 409, title: 'The job is not final' },
  'output-trimmed': { status: 410, title: 'The output is no longer kept' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'This media type is not supported' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key belongs to another body' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  'internal-error': { status: 500, title: 'Something went wrong in the server' },
  'store-unavailable': { status: 503, title: 'The store cannot be reached' },
  'durability-unknown': { status: 503, title: 'The job is written, its durability is not confirmed' },
  'batch-cut-short': { status: 503, title: 'The batch was written in part' },
  overloaded: { status: 503, title: 'Too many requests wait' },
  'store-full': { status: 507, title: 'The store is full' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemKind = keyof typeof PROBLEMS;

export const RETRY_AFTER_S = 1;

export interface ProblemOptions {
  errors?: FieldError[];
  extensions?: Record<string, unknown>;
  cause?: unknown;
}

/** Thrown by a handler to answer a problem. */
export class ProblemError extends OrchestratorError {
  constructor(
    readonly kind: ProblemKind,
    readonly detail: string,
    readonly options: ProblemOptions = {},
  ) {
    super('PROBLEM', detail, { cause: options.cause });
  }

  toProblem(): Problem {
    const { status, title } = PROBLEMS[this.kind];
    return {
      type: `urn:orchestrator:problem:${this.kind}`,
      title,
      status,
      detail: this.detail,
      ...(this.options.errors ? { errors: this.options.errors } : {}),
      ...this.options.extensions,
    };
  }
}

/** Names what a submission made, for who is to ask about it later. */
export function naming(error: unknown, extensions: Record<string, unknown>): ProblemError {
  const problem = toProblemError(error);
  return problem.kind === 'durability-unknown'
    ? new ProblemError(problem.kind, problem.detail, {
        ...problem.options,
        extensions: { ...problem.options.extensions, ...extensions },
      })
    : problem;
}

/** A 400 about one field. */
export function invalid(path: string, message: string): ProblemError {
  return new ProblemError('invalid-request', path === '' ? message : `${path}: ${message}`, {
    errors: [{ path, message }],
  });
}

/** The one place where an error becomes an HTTP status. What is not known here is a 500 that tells nothing. */
export function toProblemError(error: unknown): ProblemError {
  if (error instanceof ProblemError) {
    return error;
  }
  if (error instanceof InvalidValueError) {
    return invalid(error.path, error.message);
  }
  if (error instanceof InvalidCursorError) {
    return invalid('cursor', error.message);
  }
  if (error instanceof StoreFullError) {
    return new ProblemError('store-full', 'Redis has no memory left for new jobs; nothing was written', {
      cause: error,
    });
  }
  if (error instanceof DurabilityUnknownError) {
    return new ProblemError(
      'durability-unknown',
      'Redis has it and it will run, but a failure of Redis now may lose it; the same Idempotency-Key asks again',
      { extensions: { durability: 'unknown' }, cause: error },
    );
  }
  if (isUnavailable(error)) {
    return new ProblemError(
      'store-unavailable',
      'Redis did not confirm this in time; repeat it, a submission with the same Idempotency-Key',
      { cause: error },
    );
  }
  return fromFastify(error) ?? new ProblemError('internal-error', 'the server has logged what', { cause: error });
}

/** Errors of plain reads come from ioredis as they are. */
function isUnavailable(error: unknown): boolean {
  if (error instanceof StoreUnavailableError || error instanceof TimeoutError) {
    return true;
  }
  if (!(error instanceof Error) || error instanceof SchemaMismatchError) {
    return false;
  }
  const code = replyCode(error) ?? '';
  return (
    /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|BUSY|MISCONF|NOREPLICAS|TRYAGAIN|NOAUTH|WRONGPASS)$/.test(code) ||
    /Stream isn't writeable|Connection is closed|Command timed out|Socket timeout|max retries per request|ECONN|EPIPE|ETIMEDOUT/i.test(
      error.message,
    )
  );
}

function fromFastify(error: unknown): ProblemError | undefined {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ProblemError('body-too-large', 'expected at most 1 MiB for one job, 16 MiB for a batch');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new ProblemError('unsupported-media-type', 'expected application/json');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalid('', 'the body is not as long as Content-Length says');
    default:
      return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500
        ? invalid('', 'the request is malformed')
        : undefined;
  }
}
