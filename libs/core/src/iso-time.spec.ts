import { toIsoTime } from './iso-time.js';

describe('toIsoTime', () => {
  it('tells times as a Date does, also again and after one that is none', () => {
    const now = Date.UTC(2026, 0, 31, 12, 0, 0, 7);

    expect([now, now, 0, now, 0.5].map(toIsoTime)).toEqual(
      [now, now, 0, now, 0.5].map((ms) => new Date(ms).toISOString()),
    );
    expect(() => toIsoTime(NaN)).toThrow(RangeError);
    expect(toIsoTime(now)).toBe('2026-01-31T12:00:00.007Z');
  });
});
