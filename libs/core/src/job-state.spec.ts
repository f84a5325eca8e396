import { canTransition, FINAL_STATES, isFinal, isJobState, JOB_STATES, TRANSITIONS } from './job-state.js';

describe('the state table', () => {
  it('knows every state and names only states', () => {
    expect(Object.keys(TRANSITIONS).sort()).toEqual([...JOB_STATES].sort());
    expect(Object.values(TRANSITIONS).flat().every(isJobState)).toBe(true);
  });

  it('is the one that was agreed, and no other', () => {
    const steps = JOB_STATES.flatMap((from) => TRANSITIONS[from].map((to) => `${from} -> ${to}`));

    expect(steps.sort()).toEqual(
      [
        'blocked -> queued',
        'blocked -> scheduled',
        'blocked -> skipped',
        'blocked -> cancelled',
        'scheduled -> queued',
        'scheduled -> running',
        'scheduled -> cancelled',
        'queued -> running',
        'queued -> scheduled',
        'queued -> cancelled',
        'running -> succeeded',
        'running -> failed',
        'running -> cancelled',
        'running -> scheduled',
        'running -> queued',
        'failed -> queued',
        'failed -> blocked',
        'cancelled -> queued',
        'cancelled -> blocked',
        'skipped -> queued',
        'skipped -> blocked',
      ].sort(),
    );
  });

  it('lets nothing leave `succeeded`', () => {
    expect(JOB_STATES.filter((state) => canTransition('succeeded', state))).toEqual([]);
  });

  it('reaches every state from `queued` or `blocked`', () => {
    const reached = new Set<string>(['queued', 'blocked']);
    for (const _ of JOB_STATES) {
      for (const state of JOB_STATES.filter((candidate) => reached.has(candidate))) {
        TRANSITIONS[state].forEach((next) => reached.add(next));
      }
    }
    expect([...reached].sort()).toEqual([...JOB_STATES].sort());
  });

  it('lets a final state be left only by hand, to wait again', () => {
    for (const state of FINAL_STATES) {
      expect(isFinal(state)).toBe(true);
      expect(TRANSITIONS[state].every((next) => next === 'queued' || next === 'blocked')).toBe(true);
    }
  });
});
