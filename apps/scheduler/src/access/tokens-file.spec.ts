import { SecretFileError } from '@orchestrator/config';

import { testToken } from '../testing/tokens.js';
import { type EntryProblem, parseTokenEntry, type TokenEntry } from './token-entry.js';
import { parseTokensFile } from './tokens-file.js';

const HASH = 'a1'.repeat(32);
const OTHER = 'b2'.repeat(32);

describe('an entry of auth.tokens', () => {
  const parse = (text: string): TokenEntry | EntryProblem => parseTokenEntry('ci', text);

  it.each([
    [`viewer:${HASH}`, undefined],
    [`admin:${HASH.toUpperCase()}`, undefined],
    // A day counts to its end.
    [`submitter:${HASH}:2026-12-31`, '2027-01-01T00:00:00.000Z'],
    [`submitter:${HASH}:2026-12-31T18:00Z`, '2026-12-31T18:00:00.000Z'],
    [`submitter:${HASH}:2026-12-31T18:00:00Z`, '2026-12-31T18:00:00.000Z'],
    [`submitter:${HASH}:2026-12-31T18:00:00.5Z`, '2026-12-31T18:00:00.500Z'],
  ])('is read: %s', (text, voidFrom) => {
    const voidFromMs = voidFrom === undefined ? undefined : Date.parse(voidFrom);

    expect(parse(text)).toEqual({ name: 'ci', role: text.split(':')[0], digest: HASH, voidFromMs });
  });

  it.each([
    ['', 'role:hash'],
    ['viewer', 'role:hash'],
    ['viewer:', '64 hexadecimal digits'],
    [HASH, 'the role one of viewer, submitter, admin'],
    [`root:${HASH}`, 'the role one of viewer, submitter, admin'],
    [`Viewer:${HASH}`, 'the role one of'],
    [`viewer: ${HASH}`, '64 hexadecimal digits'],
    [`viewer:${HASH}0`, '64 hexadecimal digits'],
    [`viewer:${HASH}:`, '2026-12-31'],
    [`viewer:${HASH}:tomorrow`, '2026-12-31'],
    [`viewer:${HASH}:2026-02-30`, '2026-12-31'],
    [`viewer:${HASH}:2026-13-01`, '2026-12-31'],
    [`viewer:${HASH}:2026-12-31T18:00:00`, '2026-12-31'],
    [`viewer:${HASH}:2026-12-31T25:00:00Z`, '2026-12-31'],
    [`viewer:${testToken('x', 'viewer').token}`, 'this is a token itself'],
    [testToken('x', 'viewer').token, 'this is a token itself'],
  ])('is refused, and not shown: %s', (text, rule) => {
    const problem = parse(text);

    expect(problem).toEqual({ rule: expect.stringContaining(rule) as string });
    expect(text.length > 20 && JSON.stringify(problem).includes(text.slice(-20))).toBe(false);
  });
});

describe('parseTokensFile', () => {
  const besides = [{ name: 'fixed', role: 'admin', digest: OTHER, voidFromMs: undefined }] as const;
  const reasonOf = (text: string): string => {
    try {
      parseTokensFile(text, besides);
      return 'was read';
    } catch (error) {
      expect(error).toBeInstanceOf(SecretFileError);
      return (error as SecretFileError).reason;
    }
  };

  it('refuses a token as a name, and does not show it', () => {
    const { token } = testToken('x', 'viewer');

    expect(reasonOf(`${token}: viewer:${HASH}\n`)).toContain('a name is a token itself');
    expect(reasonOf(`${token}: viewer:${HASH}\n`)).not.toContain(token.slice(4));
  });

  it('reads a map with comments, and {} as none', () => {
    expect(parseTokensFile(`# ours\nci: submitter:${HASH}\nops: "admin:${'c3'.repeat(32)}"\n`, besides)).toMatchObject([
      { name: 'ci', role: 'submitter' },
      { name: 'ops', role: 'admin' },
    ]);
    expect(parseTokensFile('{}', besides)).toEqual([]);
  });

  it.each([
    ['an empty file, as while it is written', '', 'expected a YAML map'],
    ['only a comment', '# soon\n', 'expected a YAML map'],
    ['a list', `- viewer:${HASH}`, 'expected a YAML map'],
    ['half a file', `ci: "submitter:${HASH}`, 'is not YAML'],
    ['a name twice', `ci: viewer:${HASH}\nci: admin:${HASH}`, 'is not YAML, in line 2'],
    ['a name of the configuration', `fixed: viewer:${HASH}`, 'fixed: there is a token of this name already'],
    ['a hash of the configuration', `ci: viewer:${OTHER}`, 'ci: has the hash of the token fixed'],
    ['a hash twice', `a: viewer:${HASH}\nb: admin:${HASH}`, 'b: has the hash of the token a'],
    ['a name that is none', `"a b": viewer:${HASH}`, 'has a name that is none'],
    ['a number', 'ci: 5', '"ci": expected a text'],
    ['a map', 'ci: { role: admin }', '"ci": expected a text'],
    ['a role that is none', `ci: root:${HASH}`, '"ci": expected role:hash'],
  ])('refuses %s', (_what, text, reason) => {
    expect(reasonOf(text)).toContain(reason);
    expect(reasonOf(text)).not.toContain(HASH);
  });
});
