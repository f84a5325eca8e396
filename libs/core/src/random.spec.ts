import { systemRandom } from './random.js';

describe('systemRandom', () => {
  it('makes as many bytes as are asked for, and never the same again', () => {
    const lengths = [0, 1, 7, 8, 16, 4_095, 4_096, 4_097, 10_000];
    for (const bytes of lengths) {
      expect(systemRandom.hex(bytes)).toMatch(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
    }

    const ids = Array.from({ length: 10_000 }, () => systemRandom.hex(8));
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(ids.join('')).size).toBe(16);
  });
});
