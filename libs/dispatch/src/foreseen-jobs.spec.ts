import { ForeseenJobs } from './foreseen-jobs.js';

const [A, B] = [{ ulid: 'a' }, { ulid: 'b' }];

describe('ForeseenJobs', () => {
  it('has no use for news of what was claimed', () => {
    const jobs = new ForeseenJobs();
    jobs.add([A]);
    jobs.claimed([A]);

    expect(jobs.announced('a', false)).toBe(false);
    expect(jobs.announced('a', false)).toBe(true); // it has come back since
  });

  it('waits for the answer of a claim when the news come first', () => {
    const jobs = new ForeseenJobs();
    jobs.add([A, B]);

    expect(jobs.announced('a', true)).toBe(false);
    expect(jobs.announced('b', true)).toBe(false);
    jobs.claimed([A, B]);
    expect(jobs.missed()).toBe(false);
  });

  it('tells of what the claim did not bring, once', () => {
    const jobs = new ForeseenJobs();
    jobs.add([A, B]);
    jobs.announced('a', true);
    jobs.announced('b', true);
    jobs.claimed([B]);

    expect(jobs.missed()).toBe(true);
    expect(jobs.missed()).toBe(false);
  });

  it('relies on the news where no claim is under way, or nobody foresaw the job', () => {
    const jobs = new ForeseenJobs();
    jobs.add([A]);

    expect(jobs.announced('a', false)).toBe(true);
    expect(jobs.announced('b', true)).toBe(true);
  });

  it('is bounded: it forgets, and the news count', () => {
    const jobs = new ForeseenJobs();
    jobs.add([A]);
    jobs.add(Array.from({ length: 1_000 }, (_, i) => ({ ulid: `job-${i}` })));

    expect(jobs.announced('a', true)).toBe(true);
    expect(jobs.announced('job-999', true)).toBe(false);
  });
});
