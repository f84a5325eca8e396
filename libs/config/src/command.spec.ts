import { ConfigError, readCommand } from './index.js';

const COMMANDS = [
  { flag: '--new-token', value: 'ROLE', doc: 'Makes one.' },
  { flag: '--new-token-file', value: 'FILE', doc: 'Makes another.' },
];

describe('a command', () => {
  it.each([[['--new-token', 'admin']], [['--new-token=admin']]])('is read from %j', (argv) => {
    expect(readCommand(argv, COMMANDS)).toEqual({ flag: '--new-token', value: 'admin' });
  });

  it('is not one whose name begins like it', () => {
    expect(readCommand(['--new-token-file', 'x'], COMMANDS)).toEqual({ flag: '--new-token-file', value: 'x' });
  });

  it('is not there where the program is to run', () => {
    expect(readCommand(['--http-port', '1'], COMMANDS)).toBeUndefined();
  });

  it.each([
    [['--new-token']],
    [['--new-token=']],
    [['--new-token', 'admin', 'viewer']],
    [['--new-token=admin', 'viewer']],
    [['--http-port', '1', '--new-token', 'admin']],
  ])('stands alone with its value: %j is refused', (argv) => {
    expect(() => readCommand(argv, COMMANDS)).toThrow(ConfigError);
    expect(() => readCommand(argv, COMMANDS)).toThrow('expected --new-token ROLE and nothing else');
  });
});
