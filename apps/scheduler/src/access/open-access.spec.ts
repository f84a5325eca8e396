import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ConfigError, type ConfigProblem } from '@orchestrator/config';
import { systemRandom } from '@orchestrator/core';
import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { loadSchedulerConfig, type SchedulerConfig } from '../config.js';
import { CredentialFiles } from '../credentials/credential-files.js';
import { testToken } from '../testing/tokens.js';
import { openAccess } from './open-access.js';

const HASH = 'a1'.repeat(32);
const OTHER = 'b2'.repeat(32);

function load(...argv: string[]): SchedulerConfig {
  const loaded = loadSchedulerConfig(argv, {});
  if (loaded.outcome !== 'run') {
    throw new Error('an answer');
  }
  return loaded.config;
}

function problems(...argv: string[]): readonly ConfigProblem[] {
  try {
    load(...argv);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
}

describe('auth.tokens', () => {
  it('lets the API listen wider than loopback, alone or from a file', () => {
    expect(load('--http-host', '0.0.0.0', '--auth-tokens', `ci=viewer:${HASH}`).http.host).toBe('0.0.0.0');
    expect(load('--http-host', '0.0.0.0', '--auth-tokens-file', '/run/tokens').http.host).toBe('0.0.0.0');
    expect(problems('--http-host', '0.0.0.0')).toMatchObject([{ key: 'http.host' }]);
    expect(problems('--grpc-host', '0.0.0.0', '--auth-tokens', `ci=viewer:${HASH}`)).toMatchObject([
      { key: 'grpc.host' },
    ]);
  });

  it.each([
    [['--auth-tokens', `ci=viewer:${HASH}`, '--auth-mode', 'none'], 'auth.mode'],
    [['--auth-tokens-file', '/run/tokens', '--auth-mode', 'none'], 'auth.mode'],
    [['--auth-tokens', `ci=root:${HASH}`], 'auth.tokens.ci'],
    [['--auth-tokens', `ci=viewer:${HASH}:soon`], 'auth.tokens.ci'],
    [['--auth-tokens', `ci=viewer:${HASH},ops=admin:${HASH}`], 'auth.tokens.ops'],
    [['--auth-tokens', `a b=viewer:${HASH}`], 'auth.tokens'],
  ])('is refused: %j', (argv, key) => {
    expect(problems(...argv)).toMatchObject([{ key }]);
  });

  it('takes several, also from the environment', () => {
    const env = { ORCHESTRATOR_AUTH_TOKENS: `ci=viewer:${HASH}, ops=admin:${OTHER}:2099-01-01T00:00:00Z` };

    expect(loadSchedulerConfig([], env)).toMatchObject({
      config: { auth: { tokens: { ci: `viewer:${HASH}`, ops: `admin:${OTHER}:2099-01-01T00:00:00Z` } } },
    });
  });

  it('is shown as redacted, and as what it is when there is none', () => {
    const printed = (...argv: string[]): string => {
      const answer = loadSchedulerConfig([...argv, '--print-config'], {});
      return answer.outcome === 'answer' ? answer.text : '';
    };

    expect(printed()).toContain('tokens: {}');
    expect(printed('--auth-tokens', `ci=viewer:${HASH}`)).toContain("tokens: '[redacted]'");
    expect(printed('--auth-tokens', `ci=viewer:${HASH}`)).not.toContain(HASH);
  });

  it.each([
    (token: string) => `ci=${token}`,
    (token: string) => `ci=admin:${token}`,
    (token: string) => token,
    (token: string) => `${token}=admin:${HASH}`,
  ])('never shows what it was given: it may be a token (%#)', (toValue) => {
    const { token } = testToken('ci', 'admin');

    expect(() => load('--auth-tokens', toValue(token))).toThrow(ConfigError);
    expect(JSON.stringify(problems('--auth-tokens', toValue(token)))).not.toContain(token.slice(4));
  });
});

describe('auth.tokensFile', () => {
  let directory: string;
  let path: string;
  let files: CredentialFiles;
  const clock = new ManualClock();
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tokens-'));
    path = join(directory, 'tokens.yaml');
    files = new CredentialFiles({ logger: silentLogger, mask: () => undefined, clock, random: systemRandom });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is read again when it changes: a new token is known, a revoked one no longer; a broken file changes nothing', async () => {
    const [fixed, first, second] = [testToken('a', 'admin'), testToken('b', 'viewer'), testToken('c', 'viewer')];
    const line = ({ entry }: typeof fixed): string => `${entry.name}: ${entry.role}:${entry.digest}\n`;
    writeFileSync(path, line(first));
    const config = load('--auth-tokens-file', path, '--auth-tokens', `a=admin:${fixed.entry.digest}`);
    const access = openAccess(config, files, { clock, logger: silentLogger });
    const known = (): string[] =>
      [fixed, first, second]
        .filter(({ headers }) => typeof access.authenticate(headers.authorization) !== 'string')
        .map(({ entry }) => entry.name);
    const seen = [known()];

    for (const text of [line(first) + line(second), line(second), '', 'nonsense', line(fixed), '{}']) {
      writeFileSync(path, text);
      await files.runOnce();
      seen.push(known());
    }

    expect(seen).toEqual([['a', 'b'], ['a', 'b', 'c'], ['a', 'c'], ['a', 'c'], ['a', 'c'], ['a', 'c'], ['a']]);
    expect(access.asksForTokens).toBe(true);
  });

  it('ends the start when it cannot be used', () => {
    const open = (): unknown => openAccess(load('--auth-tokens-file', path), files, { clock, logger: silentLogger });

    expect(open).toThrow(`auth.tokensFile is ${JSON.stringify(path)}: there is no such file`);
    writeFileSync(path, 'ci: viewer');
    expect(open).toThrow(ConfigError);
  });
});
