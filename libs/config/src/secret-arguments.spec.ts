import { hideSecretArguments } from './index.js';

describe('hideSecretArguments', () => {
  const titleAfter = (...argv: string[]): string => {
    const host = { argv: ['node', 'main.js', ...argv], title: 'as it was' };
    hideSecretArguments(host, 'program');
    return host.title;
  };

  it.each([
    ['--join-token', 'x'],
    ['--auth-join-token=x'],
    ['--redis-url=redis://:x@127.0.0.1:6379'],
    ['--redis-url', 'redis://user:x@127.0.0.1:6379'],
    ['--redis-name', 'redis://:x@mymaster'],
    ['--lock-nodes=redis://127.0.0.1:1,redis://:x@127.0.0.1:2'],
  ])('puts the title in the place of %s %s', (...argv) => {
    expect(titleAfter(...argv)).toBe('program');
  });

  it.each([
    ['--join-token-file', '/run/secrets/token'],
    ['--auth-tokens-file=/run/tokens.yaml'],
    ['--redis-url=redis://127.0.0.1:6379', '--http-port=0'],
  ])('leaves %s %s as it is', (...argv) => {
    expect(titleAfter(...argv)).toBe('as it was');
  });
});
