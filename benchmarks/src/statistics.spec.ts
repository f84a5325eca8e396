import { median, quantile, spread } from './statistics.js';

describe('median', () => {
  it('is the one in the middle, whatever the order', () => {
    expect(median([30, 1, 2])).toBe(2);
  });

  it('is the mean of the two in the middle of an even number', () => {
    expect(median([4, 1, 100, 2])).toBe(3);
  });

  it('sorts by value and not by spelling', () => {
    expect(median([10, 9, 100])).toBe(10);
  });

  it('leaves what it was given in its order', () => {
    const values = [3, 1, 2];
    median(values);

    expect(values).toEqual([3, 1, 2]);
  });

  it('refuses nothing at all', () => {
    expect(() => median([])).toThrow(/nothing/);
  });
});

describe('quantile', () => {
  it('reaches from the least to the most', () => {
    expect([0, 1].map((share) => quantile([5, 3, 4], share))).toEqual([3, 5]);
  });

  it('lies between two values in proportion', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);

    expect(quantile(hundred, 0.99)).toBeCloseTo(99.01, 9);
  });
});

describe('spread', () => {
  it('says median, least and most', () => {
    expect(spread([2, 9, 4])).toEqual({ median: 4, least: 2, most: 9 });
  });
});
