import { DEFAULT_BACKOFF, type JobState, toJobId, type Ulid } from '@orchestrator/core';
import type { NewJob } from '@orchestrator/queue';
import fc from 'fast-check';

import { SubmittedAnswers, type Submitted } from './submitted-answer.js';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\0', '"command":"\\u0000"', '$&', '\u2028', '","name":"x'),
);
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const without = <T extends object>(values: T): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;

const program = fc.oneof(
  fc.record({ command: text, cwd: maybe(text) }),
  fc.record({ argv: fc.array(text, { minLength: 1 }), cwd: maybe(text) }),
  fc.record({ handler: fc.constantFrom('noop', '$x'), data: maybe(fc.jsonValue()) }),
);
const options = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.record({
      priority: maybe(fc.integer()),
      timeoutMs: maybe(fc.nat()),
      labels: maybe(fc.dictionary(text, text)),
    }),
  },
);
const rule = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.record({
      attempts: fc.integer({ min: 2, max: 9 }),
      backoff: maybe(fc.constant({ ...DEFAULT_BACKOFF, delayMs: 5 })),
    }),
  },
);
const capacities = [
  { workers: 0, slots: 0, freeSlots: 0 },
  { workers: 1, slots: 4, freeSlots: 0 },
  { workers: 2, slots: 4, freeSlots: 3 },
];
const submitted = fc
  .record({
    pool: fc.constantFrom('default', 'a.b', 'p'),
    name: text,
    program,
    options,
    rule,
    submittedBy: fc.constantFrom(undefined, 'ci', 'a "b"'),
    traceparent: fc.constantFrom(undefined, '00-0-0-01'),
    state: fc.constantFrom<JobState[]>('queued', 'queued', 'queued', 'scheduled', 'running', 'cancelled'),
    createdAt: fc.integer({ min: 1_770_000_000_000, max: 1_770_000_000_003 }),
    capacity: fc.constantFrom(...capacities),
    delayMs: fc.nat(),
  })
  .map(
    ({
      pool,
      name,
      program,
      options,
      rule,
      submittedBy,
      traceparent,
      state,
      createdAt,
      capacity,
      delayMs,
    }): Submitted => {
      const spec = without({ name, ...program, ...options, submittedBy, traceparent });
      const job = { ulid: '01JD0000000000000000000000' as Ulid, spec, rule: without(rule), priority: 0 };
      return { pool, job: state === 'scheduled' ? { ...job, delayMs } : job, state, createdAt, capacity };
    },
  );

/** Says of no job that it is plain. */
const inFull = (one: Submitted): string => {
  const job = { ...one.job, spec: { ...one.job.spec, notPlain: 1 } } as NewJob;
  return new SubmittedAnswers().write({ ...one, job });
};

describe('SubmittedAnswers', () => {
  it('writes of any job what is written of it in full', () => {
    const answers = new SubmittedAnswers();

    fc.assert(
      fc.property(submitted, (one) => {
        expect(answers.write(one)).toBe(inFull(one));
      }),
      { numRuns: 2_000 },
    );
  });

  it('answers the whole job', () => {
    const job: NewJob = {
      ulid: '01JD0000000000000000000000' as Ulid,
      spec: { name: 'n', handler: 'noop', data: { a: 1 } },
      rule: {},
      priority: 0,
    };
    const createdAt = Date.UTC(2026, 0, 1);
    const capacity = { workers: 0, slots: 0, freeSlots: 0 };

    const answer = JSON.parse(
      new SubmittedAnswers().write({ pool: 'p', job, state: 'queued', createdAt, capacity }),
    ) as object;

    expect(answer).toMatchObject({
      id: toJobId('p', job.ulid),
      name: 'n',
      state: 'queued',
      handler: 'noop',
      data: { a: 1 },
      createdAt: '2026-01-01T00:00:00.000Z',
      queuedAt: '2026-01-01T00:00:00.000Z',
      startedAt: null,
      submittedBy: null,
      waiting: { reason: 'no_workers' },
      history: [],
    });
  });

  it('keeps a bounded number of frames', () => {
    const answers = new SubmittedAnswers();
    const of = (submittedBy: string): Submitted => ({
      pool: 'p',
      job: {
        ulid: '01JD0000000000000000000000' as Ulid,
        spec: { name: 'n', command: 'c', submittedBy },
        rule: {},
        priority: 0,
      },
      state: 'queued',
      createdAt: 0,
      capacity: { workers: 0, slots: 0, freeSlots: 0 },
    });

    for (let i = 0; i < 1_100; i += 1) {
      expect(answers.write(of(`t${i}`))).toContain(`"submittedBy":"t${i}"`);
    }
    expect(answers.write(of('t0'))).toBe(inFull(of('t0')));
  });
});
