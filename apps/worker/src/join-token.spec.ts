import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';

import { ConfigError } from '@orchestrator/config';
import { createLogger } from '@orchestrator/telemetry';

import { JoinToken } from './join-token.js';

describe('JoinToken', () => {
  let directory: string;
  let path: string;
  let stream: PassThrough;
  let logger: ReturnType<typeof createLogger>;
  const written = (): string => String(stream.read() ?? '');

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'join-token-'));
    path = join(directory, 'token');
    writeFileSync(path, 'the-first\n', { mode: 0o600 });
    stream = new PassThrough();
    logger = createLogger({ level: 'debug', format: 'json', stream });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is what is configured', () => {
    expect(new JoinToken({ joinToken: 'as-given', joinTokenFile: undefined }, logger).current()).toBe('as-given');
    expect(new JoinToken({ joinToken: undefined, joinTokenFile: undefined }, logger).current()).toBeUndefined();
  });

  it('is what the file holds at that moment, masked in the log', () => {
    const token = new JoinToken({ joinToken: undefined, joinTokenFile: path }, logger);
    expect(token.current()).toBe('the-first');
    writeFileSync(path, 'the-second');

    expect(token.current()).toBe('the-second');
    logger.info('a line', { heard: 'the-first the-second' });
    expect(written()).toContain('"heard":"[redacted] [redacted]"');
  });

  it('refuses a start with a file that cannot be used', () => {
    const open = (joinTokenFile: string): JoinToken => new JoinToken({ joinToken: undefined, joinTokenFile }, logger);
    writeFileSync(path, 'two words');

    expect(() => open(path)).toThrow(ConfigError);
    expect(() => open(path)).toThrow(/joinTokenFile is ".*token": expected one line of ASCII without spaces$/);
    expect(() => open(join(directory, 'nowhere'))).toThrow('there is no such file');
  });

  it('stays what it was while the file cannot be used, and that is said once', () => {
    const token = new JoinToken({ joinToken: undefined, joinTokenFile: path }, logger);
    rmSync(path);

    expect([token.current(), token.current()]).toEqual(['the-first', 'the-first']);
    expect(written().match(/there is no such file/g)).toHaveLength(1);
  });
});
