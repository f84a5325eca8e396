import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ConfigError, requireOneLine } from '@orchestrator/config';
import { systemRandom } from '@orchestrator/core';
import { createLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { memoryStream } from '../testing/memory-stream.js';
import type { CredentialFile } from './credential-file.js';
import { CredentialFiles, LOOK_EVERY_MS } from './credential-files.js';

const FIRST = 'first-secret-value';
const SECOND = 'second-secret-value';

describe('CredentialFiles', () => {
  let directory: string;
  let path: string;
  let clock: ManualClock;
  let out: ReturnType<typeof memoryStream>;
  let logger: ReturnType<typeof createLogger>;
  let files: CredentialFiles;

  const text = (): string => JSON.stringify(out.lines());
  const write = (content: string, to = path, mode = 0o600): void => writeFileSync(to, content, { mode });
  const open = (at = path): CredentialFile<string> =>
    files.open({
      key: 'auth.joinTokenFile',
      path: at,
      parse: requireOneLine,
      secrets: (value) => [value],
      isPrivate: true,
    });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'credentials-'));
    path = join(directory, 'token');
    clock = new ManualClock();
    out = memoryStream();
    logger = createLogger({ level: 'debug', format: 'json', stream: out.stream, clock });
    files = new CredentialFiles({ logger, mask: (secrets) => logger.mask(secrets), clock, random: systemRandom });
    write(`${FIRST}\n`);
  });
  afterEach(async () => {
    await files.stop();
    rmSync(directory, { recursive: true });
  });

  it('reads a file at once and masks what it holds', () => {
    const file = open();
    logger.info('a line', { heard: `it was ${FIRST}.` });

    expect(file.value).toBe(FIRST);
    expect(text()).toContain('it was [redacted].');
    expect(text()).not.toContain(FIRST);
  });

  it('refuses a start without it: key, path and reason, not the content', () => {
    write(`${FIRST}\n${SECOND}`);

    expect(() => open()).toThrow(ConfigError);
    expect(() => open()).toThrow(
      `auth.joinTokenFile is ${JSON.stringify(path)}: expected one line without control characters`,
    );
    expect(() => open(join(directory, 'nowhere'))).toThrow('there is no such file');
  });

  it('finds a change by itself within eleven seconds, masks the new value and tells', async () => {
    const file = open();
    const heard: string[] = [];
    const told = new Promise<void>((resolve) =>
      file.onChange((value) => {
        heard.push(value);
        resolve();
      }),
    );
    await files.start();
    const next = join(directory, 'next');
    write(SECOND, next);
    renameSync(next, path);

    clock.advance(LOOK_EVERY_MS * 1.1);
    await told;
    logger.info('a line', { both: `${FIRST} ${SECOND}` });

    expect(heard).toEqual([SECOND]);
    expect(file.value).toBe(SECOND);
    expect(text()).toContain('[redacted] [redacted]');
  });

  it.each([
    ['is gone', (): void => rmSync(path), 'there is no such file'],
    ['is wrong', (): void => write('two\nlines'), 'expected one line without control characters'],
    ['is empty for the moment', (): void => write(''), 'is empty: expected one line'],
  ])('lets the old value hold when the file %s, and says so once', async (_, spoil, reason) => {
    const file = open();
    file.onChange(() => {
      throw new Error('nobody may hear of it');
    });
    spoil();
    await files.runOnce();
    await files.runOnce();

    expect(file.value).toBe(FIRST);
    const errors = out.lines().filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ key: 'auth.joinTokenFile', path, reason });

    write(FIRST);
    await files.runOnce();
    expect(out.lines().at(-1)?.['message']).toContain('can be used again');
  });

  it('reads all files before it tells anybody: a certificate comes with its key', async () => {
    const other = join(directory, 'other');
    write(FIRST, other);
    const [a, b] = [open(), open(other)];
    const seen: string[] = [];
    a.onChange(() => seen.push(`${a.value} ${b.value}`));
    write(SECOND);
    write(SECOND, other);
    await files.runOnce();

    expect(seen).toEqual([`${SECOND} ${SECOND}`]);
  });

  it('says that a listener cannot use it, without the content, and tells the others', async () => {
    const file = open();
    const heard: string[] = [];
    file.onChange((value) => {
      throw new Error(`no good: ${value}`);
    });
    file.onChange((value) => heard.push(value));
    write(SECOND);
    await files.runOnce();

    expect(heard).toEqual([SECOND]);
    expect(text()).toContain('cannot be understood (Error)');
    expect(text()).not.toContain(SECOND);
  });

  it('warns of a file that others may read, and takes it', () => {
    rmSync(path);
    write(FIRST, path, 0o444);

    expect(open().value).toBe(FIRST);
    expect(text()).toContain('a file with a secret can be read by others than its owner');
  });
});
