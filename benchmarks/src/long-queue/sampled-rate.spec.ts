import { rateBetween } from './sampled-rate.js';

const SEEN = [
  { atMs: 0, done: 0 },
  { atMs: 100, done: 1_000 },
  { atMs: 300, done: 5_000 },
];

describe('rateBetween', () => {
  it('takes the moments from what was seen', () => {
    expect(rateBetween(SEEN, 1_000, 5_000)).toBe(20_000);
  });

  it('divides the time between two looks in proportion', () => {
    expect(rateBetween(SEEN, 500, 3_000)).toBeCloseTo(2_500 / 0.15);
  });

  it('refuses what was never reached', () => {
    expect(() => rateBetween(SEEN, 0, 5_001)).toThrow(/5001 .* never seen, but 5000/);
  });
});
