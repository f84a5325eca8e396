import { pickEnvironment } from './environment.js';

describe('pickEnvironment', () => {
  it('picks the base variables and what is named, as far as they are set', () => {
    const environment = { PATH: '/bin', HOME: '/home/a', TOKEN: 'secret', EXTRA: '1', LANG: undefined };

    expect(pickEnvironment(environment, ['EXTRA', 'MISSING'])).toEqual({ PATH: '/bin', HOME: '/home/a', EXTRA: '1' });
  });

  it('gives a PATH where there is none', () => {
    expect(pickEnvironment({}).PATH).toContain('/usr/bin');
  });
});
