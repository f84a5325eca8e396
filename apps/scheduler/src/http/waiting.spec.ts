import { explainWaiting } from './waiting.js';

const busy = { workers: 2, slots: 4, freeSlots: 0 };
const nobody = { workers: 0, slots: 0, freeSlots: 0 };
const job = { pool: 'p', scheduledFor: null, dueAt: null } as const;

describe('explainWaiting', () => {
  it('says nothing of what runs or is over', () => {
    for (const state of ['running', 'succeeded', 'failed', 'cancelled', 'skipped'] as const) {
      expect(explainWaiting({ ...job, state }, nobody)).toBeUndefined();
    }
  });

  it('names the first reason that holds', () => {
    const scheduled = { ...job, state: 'scheduled', dueAt: 1_000 } as const;

    expect(explainWaiting({ ...scheduled, scheduledFor: 'delay' }, nobody)).toMatchObject({
      reason: 'scheduled',
      until: '1970-01-01T00:00:01.000Z',
    });
    expect(explainWaiting({ ...scheduled, scheduledFor: 'backoff' }, busy)?.reason).toBe('backoff');
    expect(explainWaiting({ ...job, state: 'queued' }, nobody, 3)).toMatchObject({ reason: 'no_workers', position: 3 });
    expect(explainWaiting({ ...job, state: 'queued' }, busy, 1)?.detail).toMatch(/ are busy, 1 job goes first\.$/);
    expect(explainWaiting({ ...job, state: 'queued' }, busy, 0)).toEqual({
      reason: 'slots_busy',
      detail: 'All slots (4 at 2 workers) of the pool "p" are busy.',
      position: 0,
    });
  });

  it('says that the pool is in recovery, and whom that awaits', () => {
    const queued = { ...job, state: 'queued' } as const;
    const recovery = { begun: true, runId: 'x', awaited: ['a', 'b'], notBeforeMs: 0 };

    expect(explainWaiting(queued, busy, 1, recovery)).toEqual({
      reason: 'slots_busy',
      detail:
        'The pool "p" is in recovery after Redis was restarted or replaced: it awaits word from 2 workers of what they run.',
      position: 1,
    });
    expect(explainWaiting(queued, nobody, 1, { ...recovery, awaited: [] })).toMatchObject({
      reason: 'no_workers',
      detail: expect.stringMatching(/it goes on in a moment\.$/) as string,
    });
  });
});
