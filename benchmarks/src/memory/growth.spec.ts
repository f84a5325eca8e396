import { growthOf, type MemorySample } from './growth.js';

const every5s = (mib: readonly number[]): MemorySample[] =>
  mib.map((each, index) => ({ atMs: index * 5_000, mib: each, files: 20 + index }));

describe('growthOf', () => {
  it('leaves the first half out of the slope: a program has to warm up', () => {
    const growth = growthOf(every5s([50, 70, 90, 95, 100, 100, 100, 100, 100, 100]));

    expect(growth.mibPerMinute).toBeCloseTo(0);
    expect(growth.share).toBeCloseTo(0);
    expect(growth).toMatchObject({ firstMib: 50, lastMib: 100, mostFiles: 29 });
  });

  it('sees a leak through the ups and downs of a heap', () => {
    const leaking = Array.from({ length: 120 }, (_, index) => 100 + index / 12 + (index % 2) * 3);

    const { mibPerMinute, share } = growthOf(every5s(leaking));

    expect(mibPerMinute).toBeGreaterThan(0.9);
    expect(mibPerMinute).toBeLessThan(1.1);
    expect(share).toBeGreaterThan(0.04);
  });
});
