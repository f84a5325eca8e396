import { Ledger, mergePages, requireOnceEach } from './ledger.js';

const executed = (...jobs: number[]): Ledger => {
  const ledger = new Ledger();
  jobs.forEach((job) => ledger.started(job));
  return ledger;
};

describe('requireOnceEach', () => {
  it('is satisfied by each job once, wherever it was executed', () => {
    const page = mergePages([executed(0, 2).page(), executed(1).page()]);

    expect(() => requireOnceEach(page, 3, 'ours')).not.toThrow();
  });

  it.each([
    ['a job that is missing', [[0], [2]], /1 of 3 jobs .*job 1 0 times/],
    ['the last job missing', [[0, 1]], /job 2 0 times/],
    ['a job twice on one worker', [[0, 1, 1, 2]], /job 1 2 times/],
    [
      'a job twice on two workers',
      [
        [0, 1],
        [1, 2],
      ],
      /job 1 2 times/,
    ],
    ['a job that nobody submitted', [[0, 1, 2, 3]], /job 3 1 times/],
  ])('refuses %s', (_, workers, message) => {
    const page = mergePages(workers.map((jobs) => executed(...jobs).page()));

    expect(() => requireOnceEach(page, 3, 'ours')).toThrow(message);
  });
});

describe('Ledger', () => {
  it('forgets what was executed to warm up', () => {
    const ledger = executed(0, 1, 2);
    ledger.reset();
    ledger.started(0);

    expect(ledger.page().counts).toEqual([1]);
  });

  it('keeps when a job began, on the clock that processes share', () => {
    const before = Number(process.hrtime.bigint()) / 1e6;
    const [start = 0] = executed(0).page().startsMs;
    const after = Number(process.hrtime.bigint()) / 1e6;

    expect(start).toBeGreaterThan(before - 1);
    expect(start).toBeLessThan(after + 1);
  });

  it.each([-1, 1_000_000, NaN])('refuses a job with the number %p', (job) => {
    expect(() => executed(job)).toThrow(/beyond/);
  });
});
