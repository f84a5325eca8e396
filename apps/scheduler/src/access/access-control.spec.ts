import { systemRandom } from '@orchestrator/core';
import { createLogger, silentLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { memoryStream } from '../testing/memory-stream.js';
import { tableOf, testToken } from '../testing/tokens.js';
import { AccessControl } from './access-control.js';
import { answerNewToken } from './new-token.js';
import { parseTokenEntry } from './token-entry.js';

const DAY_MS = 86_400_000;

describe('AccessControl', () => {
  it('knows a token by its hash and answers its name and role, and nothing else', () => {
    const token = testToken('ci', 'submitter');
    const access = new AccessControl({ tokens: tableOf(token), clock: new ManualClock(), logger: silentLogger });

    expect(access.authenticate(token.headers.authorization)).toEqual({ name: 'ci', role: 'submitter' });
  });

  it('takes a void token for one that never was, and says in the log whose it is, once a minute', () => {
    const out = memoryStream();
    const clock = new ManualClock();
    const until = new Date(clock.wallMs() + DAY_MS).toISOString();
    const token = testToken('old', 'admin', until);
    const logger = createLogger({ level: 'info', format: 'json', stream: out.stream });
    const access = new AccessControl({ tokens: tableOf(token), clock, logger });
    const ask = (): unknown => access.authenticate(token.headers.authorization);

    const before = ask();
    clock.advance(DAY_MS);
    const after = [ask(), ask()];
    clock.advance(60_000);
    after.push(ask());

    expect(before).toMatchObject({ name: 'old' });
    expect(after).toEqual(['unknown', 'unknown', 'unknown']);
    expect(out.lines().map(({ message, who, since }) => [message, who, since])).toEqual([
      ['a token was presented that is void', 'old', until],
      ['a token was presented that is void', 'old', until],
    ]);
    expect(JSON.stringify(out.lines())).not.toContain(token.token);
  });

  it('takes what the file holds now, all of it at once, and keeps what the configuration says', () => {
    const [fixed, first, second] = [testToken('a', 'admin'), testToken('b', 'viewer'), testToken('c', 'viewer')];
    const tokens = tableOf(fixed);
    const access = new AccessControl({ tokens, clock: new ManualClock(), logger: silentLogger });
    const known = (): unknown[] =>
      [fixed, first, second].map(({ headers }) => typeof access.authenticate(headers.authorization) !== 'string');

    tokens.replaceFile([first.entry]);
    const before = known();
    tokens.replaceFile([second.entry]);

    expect(before).toEqual([true, true, false]);
    expect(known()).toEqual([true, false, true]);
  });
});

describe('--new-token', () => {
  it('prints a token and the line that knows it', () => {
    const text = answerNewToken('submitter', systemRandom);
    const token = /orc_[A-Za-z0-9_-]{43}\n/.exec(text)?.[0].trim() ?? '';
    const [, name = '', line = ''] = /^ {2}(\S+): (\S+)$/m.exec(text) ?? [];
    const entry = parseTokenEntry(name, line);

    expect(entry).toMatchObject({ name: 'submitter-1', role: 'submitter' });
    expect(text.split(token)).toHaveLength(2);
    expect('digest' in entry && tableOf({ token, entry, headers: { authorization: '' } }).find(token)).toBe(entry);
    expect(answerNewToken('submitter', systemRandom)).not.toContain(token);
  });

  it('refuses a role that is none', () => {
    expect(() => answerNewToken('root', systemRandom)).toThrow(
      '--new-token is "root": expected one of viewer, submitter, admin',
    );
  });
});
