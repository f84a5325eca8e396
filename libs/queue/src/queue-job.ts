import {
  type Backoff,
  DEFAULT_ATTEMPTS,
  DEFAULT_BACKOFF,
  DEFAULT_FREEZE_LIMIT_MS,
  DEFAULT_MAX_WORKER_LOSSES,
  DEFAULT_ON_LEASE_LOST,
  DEFAULT_RETAIN_MS,
  type Duration,
  InvalidValueError,
  type JobRule,
  type JobSpec,
  MAX_ARG_BYTES,
  MAX_PRIORITY,
  MIN_PRIORITY,
  ON_LEASE_LOST,
  type OnLeaseLost,
  parseDurationMs,
  type Ulid,
} from '@orchestrator/core';

import { requireKnownFields } from './queue-job-fields.js';
import type { NewJob } from './store.js';

/** What is to be run, and how. Exactly one of `command`, `argv` and `handler`. */
export interface QueueJob {
  /** A line for /bin/sh -c. */
  command?: string;
  /** An argument vector, run without a shell. */
  argv?: readonly string[];
  /** A function that the worker's program registered under this name; it gets `data`. */
  handler?: string;
  /** Any JSON. */
  data?: unknown;
  /** Higher runs first, -1000 to 1000. @default 0 */
  priority?: number;
  /** For one attempt; 0 = none. @default one hour */
  timeout?: Duration;
  /** Between SIGTERM and SIGKILL. @default what its worker is configured with */
  killGrace?: Duration;
  /** What its worker does with it when it is cut off from all schedulers. @default 'freeze' */
  onLeaseLost?: OnLeaseLost;
  /** How long it may stay frozen before it is killed; more than 0. @default ten minutes */
  freezeLimit?: Duration;
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  stdin?: string;
  labels?: Readonly<Record<string, string>>;
  /** Not before. At most one of the two. */
  delay?: Duration;
  runAt?: Date;
  /** How often an attempt that fails is tried in all. @default 1 */
  attempts?: number;
  /** How many lost workers fail it. @default 5 */
  maxWorkerLosses?: number;
  backoff?: Partial<Omit<Backoff, 'delayMs' | 'maxDelayMs'>> & { delay?: Duration; maxDelay?: Duration };
  noRetryExitCodes?: readonly number[];
  /** How long the record is kept after the end. @default seven days */
  retain?: Duration;
}

const MAX_NAME_LENGTH = 200;
const MAX_ATTEMPTS = 1_000;
const MAX_LABELS = 32;

/** @throws {InvalidValueError} naming the field */
export function toNewJob(ulid: Ulid, name: string, job: QueueJob): NewJob {
  check(name.length >= 1 && name.length <= MAX_NAME_LENGTH, 'name', `1 to ${MAX_NAME_LENGTH} characters`);
  requireKnownFields(job);
  const priority = job.priority ?? 0;
  requireInteger(priority, 'priority', MIN_PRIORITY, MAX_PRIORITY);
  check(job.delay === undefined || job.runAt === undefined, 'runAt', 'not beside delay');
  return {
    ulid,
    spec: toSpec(name, job),
    rule: toRule(job),
    priority,
    ...(job.delay === undefined ? {} : { delayMs: parseDurationMs(job.delay, 'delay') }),
    ...(job.runAt === undefined ? {} : { runAtMs: toInstant(job.runAt) }),
  };
}

function toSpec(name: string, job: QueueJob): JobSpec {
  const { command, argv, handler, data, priority, env, cwd, stdin, labels } = job;
  const ways = [command, argv, handler].filter((way) => way !== undefined);
  check(ways.length === 1, 'command', 'exactly one of command, argv and handler');
  check(argv === undefined || argv.length > 0, 'argv', 'at least the program');
  check(data === undefined || handler !== undefined, 'data', 'only with handler');
  check(Object.keys(labels ?? {}).length <= MAX_LABELS, 'labels', `at most ${MAX_LABELS}`);
  for (const text of [command ?? '', ...(argv ?? []), ...Object.entries(env ?? {}).map((pair) => pair.join('='))]) {
    check(Buffer.byteLength(text) < MAX_ARG_BYTES, 'command', `strings below ${MAX_ARG_BYTES} bytes, Linux' own limit`);
    check(!text.includes('\0'), 'command', 'strings without a NUL character');
  }
  const { onLeaseLost = DEFAULT_ON_LEASE_LOST } = job;
  check(ON_LEASE_LOST.includes(onLeaseLost), 'onLeaseLost', `one of ${ON_LEASE_LOST.join(', ')}`);
  const freezeLimitMs = toMs(job.freezeLimit, 'freezeLimit');
  check(freezeLimitMs !== 0, 'freezeLimit', 'more than 0');
  return withoutUndefined({
    name,
    command,
    argv: argv && [...argv],
    handler,
    data,
    priority: priority === 0 ? undefined : priority,
    timeoutMs: toMs(job.timeout, 'timeout'),
    killGraceMs: toMs(job.killGrace, 'killGrace'),
    onLeaseLost: onLeaseLost === DEFAULT_ON_LEASE_LOST ? undefined : onLeaseLost,
    freezeLimitMs: freezeLimitMs === DEFAULT_FREEZE_LIMIT_MS ? undefined : freezeLimitMs,
    env: env && { ...env },
    cwd,
    stdin,
    labels: labels && { ...labels },
  });
}

function toRule(job: QueueJob): JobRule {
  const { attempts = DEFAULT_ATTEMPTS, maxWorkerLosses = DEFAULT_MAX_WORKER_LOSSES, noRetryExitCodes = [] } = job;
  requireInteger(attempts, 'attempts', 1, MAX_ATTEMPTS);
  requireInteger(maxWorkerLosses, 'maxWorkerLosses', 1, Number.MAX_SAFE_INTEGER);
  noRetryExitCodes.forEach((code) => requireInteger(code, 'noRetryExitCodes', 0, 255));
  const retainMs = toMs(job.retain, 'retain');
  return withoutUndefined({
    attempts: attempts === DEFAULT_ATTEMPTS ? undefined : attempts,
    maxWorkerLosses: maxWorkerLosses === DEFAULT_MAX_WORKER_LOSSES ? undefined : maxWorkerLosses,
    backoff: job.backoff && toBackoff(job.backoff),
    noRetryExitCodes: noRetryExitCodes.length === 0 ? undefined : [...noRetryExitCodes],
    retainMs: retainMs === DEFAULT_RETAIN_MS ? undefined : retainMs,
  });
}

function toBackoff({ delay, maxDelay, ...rest }: NonNullable<QueueJob['backoff']>): Backoff {
  const factor = rest.factor ?? DEFAULT_BACKOFF.factor;
  check(Number.isFinite(factor) && factor >= 1, 'backoff.factor', 'a number from 1');
  return {
    ...DEFAULT_BACKOFF,
    ...rest,
    factor,
    delayMs: toMs(delay, 'backoff.delay') ?? DEFAULT_BACKOFF.delayMs,
    maxDelayMs: toMs(maxDelay, 'backoff.maxDelay') ?? DEFAULT_BACKOFF.maxDelayMs,
  };
}

function toMs(duration: Duration | undefined, path: string): number | undefined {
  return duration === undefined ? undefined : parseDurationMs(duration, path);
}

function toInstant(date: Date): number {
  const ms = date.getTime();
  check(Number.isFinite(ms), 'runAt', 'a valid date');
  return ms;
}

function requireInteger(value: number, path: string, min: number, max: number): void {
  check(
    Number.isInteger(value) && value >= min && value <= max,
    path,
    `an integer from ${min} to ${max}, not ${value}`,
  );
}

function check(condition: boolean, path: string, expected: string): void {
  if (!condition) {
    throw new InvalidValueError(path, `${path} is not acceptable: expected ${expected}`);
  }
}

function withoutUndefined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
