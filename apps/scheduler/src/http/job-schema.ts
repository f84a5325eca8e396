import {
  DURATION_PATTERN,
  JOB_STATES,
  MAX_PRIORITY,
  MIN_PRIORITY,
  NAME_PATTERN,
  ON_LEASE_LOST,
  POOL_PATTERN,
  ULID_PATTERN,
} from '@orchestrator/core';
import { type Static, Type } from 'typebox';

export const MAX_BATCH_JOBS = 10_000;
export const MAX_NAME = 200;
/** Ten years, in seconds. */
export const MAX_DURATION_S = 315_360_000;
const MAX_COUNT = 1_000_000;
const MAX_LABELS = 32;

/**
 * `title` is what an error message says after "expected"; it stands in the OpenAPI document, too. Bodies are never
 * coerced and have no defaults filled in: `to-job-spec.ts` knows them.
 */
const strict = { additionalProperties: false } as const;

export const Duration = Type.Union(
  [Type.Number({ minimum: 0, maximum: MAX_DURATION_S }), Type.String({ pattern: DURATION_PATTERN.source })],
  { title: 'seconds (0 to ten years), or a string with its unit such as "500ms", "15m" or "2h"' },
);

/** Text that is shown and logged: no control characters, nothing that turns the direction of writing. */
const SAFE_TEXT = '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]*$';
const NO_NUL = '^[^\\u0000]*$';

const Backoff = Type.Object(
  {
    type: Type.Optional(Type.Enum(['exponential', 'fixed', 'linear'])),
    delay: Type.Optional(Duration),
    factor: Type.Optional(Type.Number({ minimum: 1, maximum: 1_000, title: 'a number from 1 to 1000' })),
    maxDelay: Type.Optional(Duration),
    jitter: Type.Optional(Type.Enum(['full', 'none'])),
  },
  { ...strict, description: 'The wait before the next attempt.' },
);

export const JobRequest = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: MAX_NAME,
      pattern: SAFE_TEXT,
      title: `text of 1 to ${MAX_NAME} characters without control characters`,
    }),
    command: Type.Optional(
      Type.String({
        minLength: 1,
        pattern: NO_NUL,
        title: 'a line for /bin/sh -c without NUL',
        description: 'One of command, argv and handler.',
      }),
    ),
    argv: Type.Optional(
      Type.Array(Type.String({ pattern: NO_NUL, title: 'text without NUL' }), {
        minItems: 1,
        maxItems: 10_000,
        title: 'a list of texts, the program first',
        description: 'An argument vector, run without a shell.',
      }),
    ),
    handler: Type.Optional(
      Type.String({ pattern: '^[A-Za-z_$][\\w$.-]{0,127}$', title: 'the name of a function of the worker program' }),
    ),
    data: Type.Optional(Type.Unknown({ description: 'Any JSON, for handler.' })),
    pool: Type.Optional(Type.String({ pattern: POOL_PATTERN.source, title: `a pool's name: ${POOL_PATTERN.source}` })),
    priority: Type.Optional(
      Type.Integer({
        minimum: MIN_PRIORITY,
        maximum: MAX_PRIORITY,
        title: `an integer from ${MIN_PRIORITY} to ${MAX_PRIORITY}`,
        description: 'Higher runs first.',
      }),
    ),
    timeout: Type.Optional(Duration),
    killGrace: Type.Optional(Duration),
    onLeaseLost: Type.Optional(
      Type.Enum([...ON_LEASE_LOST], {
        title: `one of ${ON_LEASE_LOST.join(', ')}`,
        description:
          'What its worker does with it when it is cut off from all schedulers for as long as its lease: stops it until ' +
          'it is confirmed or given away, kills it, or lets it go on, perhaps beside another attempt. Default freeze.',
      }),
    ),
    freezeLimit: Type.Optional(Duration),
    env: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }),
        Type.String({ pattern: NO_NUL, title: 'text without NUL' }),
        {
          ...strict,
          title: 'variables by name: letters, digits and _, not a digit first',
          description: 'Added to the small base environment.',
        },
      ),
    ),
    cwd: Type.Optional(Type.String({ minLength: 1, maxLength: 4_096, pattern: NO_NUL, title: 'a path without NUL' })),
    stdin: Type.Optional(Type.String()),
    delay: Type.Optional(Duration),
    runAt: Type.Optional(
      Type.String({ format: 'date-time', title: 'a time such as "2026-01-31T12:00:00Z"', description: 'Not before.' }),
    ),
    attempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, title: 'an integer from 1 to 1000' })),
    maxWorkerLosses: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MAX_COUNT, title: `an integer from 1 to ${MAX_COUNT}` }),
    ),
    backoff: Type.Optional(Backoff),
    noRetryExitCodes: Type.Optional(
      Type.Array(Type.Integer({ minimum: 0, maximum: 255, title: 'an exit code from 0 to 255' }), { maxItems: 256 }),
    ),
    labels: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$' }),
        Type.String({
          maxLength: 256,
          pattern: SAFE_TEXT,
          title: 'text of at most 256 characters without control characters',
        }),
        {
          ...strict,
          maxProperties: MAX_LABELS,
          title: `at most ${MAX_LABELS} labels by key: up to 63 letters, digits, ".", "_", "/" or "-"`,
          description: `At most ${MAX_LABELS}.`,
        },
      ),
    ),
    retain: Type.Optional(Duration),
  },
  { ...strict, description: 'A job to be run. Exactly one of command, argv and handler is given.' },
);
export type JobRequest = Static<typeof JobRequest>;

export const BatchRequest = Type.Object(
  {
    jobs: Type.Array(JobRequest, {
      minItems: 1,
      maxItems: MAX_BATCH_JOBS,
      title: `a list of 1 to ${MAX_BATCH_JOBS} jobs`,
    }),
    name: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_NAME,
        pattern: SAFE_TEXT,
        title: `text of 1 to ${MAX_NAME} characters`,
      }),
    ),
  },
  strict,
);
export type BatchRequest = Static<typeof BatchRequest>;

export const WaitQuery = {
  wait: Type.Optional(
    Type.String({
      pattern: '^\\d{1,9}(\\.\\d{1,3})?$',
      title: 'seconds from 0 to 60',
      description: 'Seconds, 0 to 60.',
    }),
  ),
};

const LIST_LIMIT = Type.String({
  pattern: '^([1-9]\\d{0,2}|1000)$',
  title: 'an integer from 1 to 1000',
  description: '1 to 1000, default 50.',
});

export const PageQuery = {
  limit: Type.Optional(LIST_LIMIT),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024, title: 'a cursor that this server answered' })),
};

export const JobState = Type.Enum([...JOB_STATES], { title: `one of ${JOB_STATES.join(', ')}` });

const Label = Type.String({ pattern: '^[^:]{1,63}:.{0,256}$', title: 'key:value' });

export const JobListQuery = Type.Object(
  {
    state: Type.Optional(
      Type.Union([JobState, Type.Array(JobState, { maxItems: 20 })], { title: `one of ${JOB_STATES.join(', ')}` }),
    ),
    pool: Type.Optional(Type.String({ pattern: POOL_PATTERN.source, title: "a pool's name" })),
    name: Type.Optional(
      Type.String({ minLength: 1, maxLength: MAX_NAME, title: `text of 1 to ${MAX_NAME} characters` }),
    ),
    batch: Type.Optional(Type.String({ pattern: NAME_PATTERN.source, title: "a batch's id" })),
    label: Type.Optional(Type.Union([Label, Type.Array(Label, { maxItems: 32 })], { title: 'key:value' })),
    ...PageQuery,
  },
  strict,
);
export type JobListQuery = Static<typeof JobListQuery>;

export const LogsQuery = Type.Object(
  {
    attempt: Type.Optional(Type.String({ pattern: '^[1-9]\\d{0,8}$', title: 'the number of a start, from 1' })),
    stream: Type.Optional(Type.Enum(['stdout', 'stderr'])),
    tail: Type.Optional(Type.String({ pattern: '^\\d{1,7}$', title: 'a number of lines' })),
    follow: Type.Optional(Type.Enum(['true', 'false'])),
  },
  strict,
);
export type LogsQuery = Static<typeof LogsQuery>;

export const IdParams = Type.Object({ id: Type.String() });

export const BATCH_ID_PATTERN = ULID_PATTERN;
