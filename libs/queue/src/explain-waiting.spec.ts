import type { Job } from '@orchestrator/core';

import { explainWaiting } from './explain-waiting.js';
import { parseJob } from './redis/reads/job-record.js';

const job = (overrides: Partial<Job>): Job => ({
  ...parseJob({ pool: 'gpu', ulid: 'x' }, { state: 'queued', spec: '{"name":"a"}', created: '1' }, []),
  ...overrides,
});
const context = { liveWorkersOfPool: 2, freeSlots: 0, position: 7, now: 10_000 };

describe('explainWaiting', () => {
  it.each(['running', 'succeeded', 'failed', 'cancelled', 'skipped'] as const)('says nothing of a %s job', (state) => {
    expect(explainWaiting(job({ state }), context)).toBeNull();
  });

  it('names the time a delayed job waits for, whatever the workers do', () => {
    const delayed = job({ state: 'scheduled', scheduledFor: 'delay', dueAt: 14_500 });

    expect(explainWaiting(delayed, { ...context, liveWorkersOfPool: 0 })).toEqual({
      reason: 'scheduled',
      detail: 'It is not to start before its time; it is queued in 5 s.',
      until: 14_500,
    });
  });

  it('does not count down below zero', () => {
    const due = job({ state: 'scheduled', scheduledFor: 'delay', dueAt: 9_000 });

    expect(explainWaiting(due, context)?.detail).toContain('in a moment');
  });

  it('tells a wait after a failure from one after a loss', () => {
    const waiting = { state: 'scheduled', scheduledFor: 'backoff', dueAt: 11_000, starts: 3 } as const;
    const failed = [{ outcome: 'failed' }] as Job['history'];

    const afterFailure = explainWaiting(job({ ...waiting, failures: 1, history: failed }), context);
    expect(afterFailure).toMatchObject({ reason: 'backoff', detail: 'Attempt 3 failed; it is queued again in 1 s.' });
    const afterLoss = explainWaiting(job({ ...waiting, workerLosses: 2 }), context);
    expect(afterLoss).toMatchObject({ reason: 'backoff', until: 11_000 });
    expect(afterLoss?.detail).toContain('lost its worker 2 times');
  });

  it('says that nobody serves the pool before it says that slots are taken', () => {
    expect(explainWaiting(job({}), { ...context, liveWorkersOfPool: 0 })).toEqual({
      reason: 'no_workers',
      detail: 'No live worker serves the pool "gpu".',
      position: 7,
    });
  });

  it('says how many are in front when all slots are taken', () => {
    expect(explainWaiting(job({}), context)).toEqual({
      reason: 'slots_busy',
      detail: 'Every slot of all 2 workers of the pool "gpu" is taken; 7 are in front of it.',
      position: 7,
    });
  });

  it('says who is next', () => {
    expect(explainWaiting(job({}), { ...context, freeSlots: 1, position: 0 })?.detail).toBe(
      'A slot is free; it is next.',
    );
    expect(explainWaiting(job({}), { ...context, liveWorkersOfPool: 1, position: undefined })).toEqual({
      reason: 'slots_busy',
      detail: 'Every slot of the only worker of the pool "gpu" is taken; it is next.',
    });
  });
});
