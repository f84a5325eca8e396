import { median, quantile, slope, spread } from './statistics.js';

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

describe('slope', () => {
  const line = (ys: readonly number[]): { x: number; y: number }[] => ys.map((y, x) => ({ x, y }));

  it('is that of a line, whatever its height', () => {
    expect(slope(line([5, 8, 11]))).toBeCloseTo(3);
    expect(slope(line([-7, -7]))).toBe(0);
  });

  it('lets what lies above and below a line even out', () => {
    expect(slope(line([1, -1, 1, -1, 1]))).toBeCloseTo(0);
    expect(slope(line([0, 3, 2, 5]))).toBeCloseTo(1.4);
  });

  it('refuses points that lie at one place', () => {
    expect(() => slope([{ x: 1, y: 1 }])).toThrow(/1 points/);
  });
});
