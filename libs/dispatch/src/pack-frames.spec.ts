import { packFrames } from './pack-frames.js';

describe('packFrames', () => {
  const pack = (sizes: number[], limits: Parameters<typeof packFrames>[2]): number[][] =>
    packFrames(sizes, (size) => size, limits);

  it('fills frames in order', () => {
    expect(pack([3, 3, 3, 1, 9], { maxBytes: 7 })).toEqual([[3, 3], [3, 1], [9]]);
  });

  it('lets a single larger entry travel alone', () => {
    expect(pack([1, 100, 1], { maxBytes: 10 })).toEqual([[1], [100], [1]]);
  });

  it('limits the entries of a frame', () => {
    expect(pack([1, 1, 1], { maxEntries: 2 })).toEqual([[1, 1], [1]]);
  });

  it('makes no empty frame', () => {
    expect(pack([], {})).toEqual([]);
  });
});
