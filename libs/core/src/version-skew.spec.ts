import { mayWorkTogether } from './version-skew.js';

describe('mayWorkTogether', () => {
  it.each([
    ['1.4.2', '1.4.9', true],
    ['1.4.2', '1.5.0-rc.1', true],
    ['1.5.0', '1.4.2', true],
    ['1.4.2', '1.6.0', false],
    ['1.6.0', '1.4.2', false],
    ['1.4.2', '2.4.2', false],
    ['0.1.0', '0.1.0-previous', true],
    ['0.1.0', '', true],
    ['0.1.0', 'main', true],
  ])('of %s and %s says %s', (one, other, expected) => {
    expect(mayWorkTogether(one, other)).toBe(expected);
  });
});
