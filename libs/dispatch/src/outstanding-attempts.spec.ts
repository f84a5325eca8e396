import { OutstandingAttempts } from './outstanding-attempts.js';

describe('OutstandingAttempts', () => {
  it('counts age in heartbeats, and forgets what was reported', () => {
    const attempts = new OutstandingAttempts();
    attempts.restart(['held']);
    attempts.beat();
    attempts.add(['a', 'b']);
    attempts.beat();
    attempts.beat();

    expect([attempts.olderThan(4), attempts.olderThan(3), attempts.olderThan(2), attempts.size]).toEqual([0, 1, 3, 3]);
    expect([attempts.report('a'), attempts.report('a'), attempts.report('strange')]).toEqual([true, false, false]);
    expect([attempts.olderThan(2), attempts.size]).toEqual([2, 2]);
  });
});
