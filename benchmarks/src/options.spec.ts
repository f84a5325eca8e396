import { readOptions } from './options.js';

describe('readOptions', () => {
  it('measures everything in full by default', () => {
    expect(readOptions([])).toEqual({
      only: [],
      quick: false,
      list: false,
      rounds: 5,
      scale: 1,
      minutes: 10,
      out: undefined,
    });
  });

  it('has fewer jobs and rounds when it is to be quick, unless it is told otherwise', () => {
    expect(readOptions(['--quick'])).toMatchObject({ rounds: 3, scale: 0.05 });
    expect(readOptions(['--quick', '--rounds', '1', '--scale=0.5'])).toMatchObject({ rounds: 1, scale: 0.5 });
  });

  it('takes several workloads', () => {
    expect(readOptions(['--only', 'true,post']).only).toEqual(['true', 'post']);
  });

  it.each([
    ['--rounds', '0'],
    ['--rounds', '1.5'],
    ['--rounds', 'many'],
    ['--scale', '0'],
    ['--scale', '2'],
    ['--scale', 'x'],
    ['--minutes', '0'],
    ['--minutes', 'ten'],
    ['--fast', '1'],
  ])('refuses %s %s', (flag, value) => {
    expect(() => readOptions([flag, value])).toThrow();
  });
});
