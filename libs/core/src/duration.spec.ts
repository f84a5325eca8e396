import { parseDurationMs } from './duration.js';
import { InvalidValueError } from './errors.js';

describe('parseDurationMs', () => {
  it.each([
    [30, 30_000],
    [0.5, 500],
    [0, 0],
    ['30', 30_000],
    ['1.5', 1_500],
    ['500ms', 500],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1.5s', 1_500],
    [0.0001, 1],
    ['0.0001', 1],
    ['0.2ms', 1],
    ['0ms', 0],
  ])('reads %p as %p ms', (value, expected) => {
    expect(parseDurationMs(value)).toBe(expected);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '', 'soon', '15 s', '-5s', '1e3', '15sec', '0x10'])(
    'refuses %p and names the path',
    (value) => {
      expect(() => parseDurationMs(value, 'backoff.delay')).toThrow(InvalidValueError);
      expect(() => parseDurationMs(value, 'backoff.delay')).toThrow(/^backoff\.delay is .*: expected /);
    },
  );
});
