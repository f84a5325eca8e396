import type { Ulid } from '@orchestrator/core';

import { type QueueJob, toNewJob } from './queue-job.js';

const ULID = '01JD0000000000000000000000' as Ulid;

describe('toNewJob', () => {
  it('stores nothing for what has its default', () => {
    const job: QueueJob = {
      command: 'true',
      priority: 0,
      attempts: 1,
      maxWorkerLosses: 5,
      noRetryExitCodes: [],
      retain: '7d',
      timeout: undefined,
      onLeaseLost: 'freeze',
      freezeLimit: '10m',
    };

    expect(toNewJob(ULID, 'a', job)).toEqual({
      ulid: ULID,
      spec: { name: 'a', command: 'true' },
      rule: {},
      priority: 0,
    });
  });

  it.each([
    ['atempts', { atempts: 3 }],
    ['toString', { toString: 'x' }],
    ['backoff.delayMs', { backoff: { delayMs: 5 } }],
  ])('refuses %s, which no job has', (path, fields) => {
    const refused = (): unknown => toNewJob(ULID, 'a', { command: 'true', ...fields } as QueueJob);

    expect(refused).toThrow(expect.objectContaining({ code: 'INVALID_VALUE', path }));
    expect(refused).toThrow(`${path} is not a field that a job has: expected one of `);
  });

  it('converts durations and instants once', () => {
    const job = toNewJob(ULID, 'a', { handler: 'h', data: [1], timeout: 30, killGrace: '500ms', delay: 0.5 });

    expect(job).toMatchObject({ spec: { handler: 'h', data: [1], timeoutMs: 30_000, killGraceMs: 500 }, delayMs: 500 });
    expect(toNewJob(ULID, 'a', { command: 'true', runAt: new Date(5) }).runAtMs).toBe(5);
  });

  it('keeps what differs from the default at the end of the lease', () => {
    const { spec } = toNewJob(ULID, 'a', { command: 'true', onLeaseLost: 'kill', freezeLimit: '1m' });

    expect(spec).toEqual({ name: 'a', command: 'true', onLeaseLost: 'kill', freezeLimitMs: 60_000 });
  });

  it('fills up a back-off', () => {
    expect(toNewJob(ULID, 'a', { command: 'x', backoff: { type: 'linear', maxDelay: '1m' } }).rule.backoff).toEqual({
      type: 'linear',
      delayMs: 1_000,
      factor: 2,
      maxDelayMs: 60_000,
      jitter: 'full',
    });
  });

  it.each([
    ['no way to run it', 'command', {}],
    ['two ways to run it', 'command', { command: 'a', argv: ['b'] }],
    ['an empty argv', 'argv', { argv: [] }],
    ['data without a handler', 'data', { command: 'a', data: 1 }],
    ['a priority out of range', 'priority', { command: 'a', priority: 1_001 }],
    ['a priority that is no integer', 'priority', { command: 'a', priority: 0.5 }],
    ['no attempts', 'attempts', { command: 'a', attempts: 0 }],
    ['no worker losses', 'maxWorkerLosses', { command: 'a', maxWorkerLosses: 0 }],
    ['an exit code that cannot be', 'noRetryExitCodes', { command: 'a', noRetryExitCodes: [256] }],
    ['a shrinking back-off', 'backoff.factor', { command: 'a', backoff: { factor: 0 } }],
    ['a duration of another unit', 'timeout', { command: 'a', timeout: '3 fortnights' }],
    ['an unknown way to lose the lease', 'onLeaseLost', { command: 'a', onLeaseLost: 'finish' as 'kill' }],
    ['no time to stay frozen', 'freezeLimit', { command: 'a', freezeLimit: 0 }],
    ['delay and runAt', 'runAt', { command: 'a', delay: 1, runAt: new Date(1) }],
    ['an instant that is none', 'runAt', { command: 'a', runAt: new Date(NaN) }],
    ['a line longer than Linux takes', 'command', { command: 'a'.repeat(128 * 1024) }],
    ['a NUL character', 'command', { argv: ['a\0b'] }],
    [
      'too many labels',
      'labels',
      { command: 'a', labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [i, ''])) },
    ],
  ] as [string, string, QueueJob][])('refuses %s and names the field', (_, path, job) => {
    expect(() => toNewJob(ULID, 'a', job)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE', path }) as Error);
  });

  it.each(['', 'x'.repeat(201)])('refuses a name of another length', (name) => {
    expect(() => toNewJob(ULID, name, { command: 'true' })).toThrow(/^name/);
  });
});
