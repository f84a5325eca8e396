import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readSecretFile, requireOneLine, requireToken, SecretFileError } from './index.js';

const SECRET = 'correct-horse-battery';

describe('readSecretFile', () => {
  let directory: string;
  const file = (content: string | Buffer, mode = 0o600): string => {
    const path = join(directory, 'secret');
    writeFileSync(path, content, { mode });
    return path;
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'secret-file-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it.each([
    ['as it is', SECRET],
    ['without the line end of an editor', `${SECRET}\n`],
    ['without that of Windows', `${SECRET}\r\n`],
  ])('reads what it holds, %s', (_, content) => {
    expect(readSecretFile(file(content))).toEqual({ text: SECRET, isWidelyReadable: false });
  });

  it('strips one line end and nothing else', () => {
    expect(readSecretFile(file(` ${SECRET} \n\n`)).text).toBe(` ${SECRET} \n`);
  });

  it.each([0o640, 0o604, 0o444])('says that others may read it (mode %o)', (mode) => {
    expect(readSecretFile(file(SECRET, mode)).isWidelyReadable).toBe(true);
  });

  it('follows a link, as containers mount secrets', () => {
    const link = join(directory, 'link');
    symlinkSync(file(SECRET), link);

    expect(readSecretFile(link).text).toBe(SECRET);
  });

  it('refuses what is missing, no file, too long or no text, and says nothing of the content', () => {
    const reasonOf = (path: string): string => {
      try {
        readSecretFile(path);
        return 'was read';
      } catch (error) {
        expect((error as Error).message).not.toContain(SECRET);
        return (error as SecretFileError).reason;
      }
    };

    expect(reasonOf(join(directory, 'nowhere'))).toBe('there is no such file');
    expect(reasonOf(directory)).toBe('is not a regular file');
    expect(reasonOf(file(SECRET.repeat(60_000)))).toMatch(/^is \d+ bytes long: expected 1048576 at most$/);
    expect(reasonOf(file(Buffer.concat([Buffer.from(SECRET), Buffer.from([0xff])])))).toBe('is not UTF-8 text');
  });
});

describe('requireToken', () => {
  it('passes what fits into a header', () => {
    expect(requireToken('orc_A-b~/+=:')).toBe('orc_A-b~/+=:');
  });

  it.each(['', 'two words', 'two\nlines', 'tä'])('refuses %j', (text) => {
    expect(() => requireToken(text)).toThrow(SecretFileError);
  });
});

describe('requireOneLine', () => {
  it('passes a password with anything that can be printed', () => {
    expect(requireOneLine('pä ss:w@rd/#"')).toBe('pä ss:w@rd/#"');
  });

  it.each(['', 'two\nlines', 'tab\t', 'nul\0'])('refuses %j', (text) => {
    expect(() => requireOneLine(text)).toThrow(SecretFileError);
  });
});
