import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import type { AuditEntry } from './audit-entry.js';
import { AuditFileError } from './audit-file.js';
import { FileAuditLog } from './file-audit-log.js';
import { verifyAudit } from './verify-audit.js';

const entry = (id: string, over: Partial<AuditEntry> = {}): AuditEntry => ({
  atMs: Date.UTC(2026, 0, 1),
  action: 'job.submit',
  who: 'ci',
  from: '10.0.0.1',
  targets: [id],
  outcome: 'done',
  status: 202,
  ...over,
});

describe('FileAuditLog', () => {
  let directory: string;
  let path: string;
  let clock: ManualClock;
  const opened: FileAuditLog[] = [];

  const open = async (maxWaiting?: number, at = path): Promise<FileAuditLog> => {
    const log = new FileAuditLog({
      path: at,
      clock,
      logger: silentLogger,
      ...(maxWaiting === undefined ? {} : { maxWaiting }),
    });
    opened.push(log);
    await log.start();
    return log;
  };
  const written = (at = path): string => readFileSync(at, 'utf8');
  const lines = (at = path): Record<string, unknown>[] =>
    written(at)
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const write = async (log: FileAuditLog, ...ids: string[]): Promise<void> => {
    ids.forEach((id) => log.record(entry(id)));
    await log.settled();
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'audit-'));
    path = join(directory, 'audit.log');
    clock = new ManualClock();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((log) => log.stop()));
    rmSync(directory, { recursive: true });
  });

  it('appends one JSON line for each entry, in order, for its owner alone', async () => {
    const log = await open();
    await write(log, 'default:1', 'default:2');

    expect(lines()).toMatchObject([
      {
        seq: 1,
        time: '2026-01-01T00:00:00.000Z',
        action: 'job.submit',
        who: 'ci',
        from: '10.0.0.1',
        targets: ['default:1'],
        outcome: 'done',
        status: 202,
        prev: '0'.repeat(64),
      },
      { seq: 2, targets: ['default:2'], prev: lines()[0]?.['hash'] },
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await verifyAudit(path)).toMatchObject({ isWhole: true, text: expect.stringContaining('2 lines checked') });
  });

  it('lets no name or id forge a line, or reach a terminal', async () => {
    const log = await open();
    log.record(entry('a"}\n{"seq":9,', { who: 'eve\u001b[2J\u0085\u2028', detail: 'x'.repeat(9_000) }));
    await log.settled();

    expect(lines()).toHaveLength(1);
    expect(written()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028]/);
    expect(lines()[0]).toMatchObject({ targets: ['a"}\n{"seq":9,'], who: 'eve\u001b[2J\u0085\u2028' });
    expect(String(lines()[0]?.['detail']).length).toBeLessThan(600);
  });

  it('goes on with the chain after a restart', async () => {
    const first = await open();
    await write(first, 'a');
    await first.stop();
    await write(await open(), 'b');

    expect(lines().map(({ seq }) => seq)).toEqual([1, 2]);
    expect((await verifyAudit(path)).isWhole).toBe(true);
  });

  it.each([
    ['in the middle of a line', (whole: string): string => whole.slice(0, -40), true, true],
    ['before the end of its line', (whole: string): string => whole.slice(0, -1), true, false],
    ['in the very first line', (): string => '{"seq":1,"time":"2026', true, true],
    ['and left garbage', (whole: string): string => `${whole}\0\0\0\0\n\0\0`, false, true],
  ])('goes on after a crash that tore it %s', async (_, tear, isWholeBefore, isTold) => {
    const first = await open();
    await write(first, 'a', 'b', 'c');
    await first.stop();
    writeFileSync(path, tear(written()));
    expect((await verifyAudit(path)).isWhole).toBe(isWholeBefore);
    await write(await open(), 'after');

    const { isWhole, text } = await verifyAudit(path);
    expect(text).toContain('the chain is whole');
    expect(isWhole).toBe(true);
    expect(text.includes('was torn by a crash, as the chain itself says')).toBe(isTold);
    expect(written()).toContain('"after"');
  });

  it('is not whole where it holds nothing: it may have been wiped', async () => {
    writeFileSync(path, '');

    expect(await verifyAudit(path)).toEqual({
      isWhole: false,
      text: expect.stringContaining('holds no line') as string,
    });
  });

  it('notices that it was renamed: the new file goes on with the chain', async () => {
    const log = await open();
    await write(log, 'a', 'b');
    const [, last] = lines();
    renameSync(path, join(directory, 'audit.log.1'));
    await write(log, 'c');

    expect(lines(join(directory, 'audit.log.1'))).toHaveLength(2);
    expect(lines()).toMatchObject([{ seq: 3, targets: ['c'], prev: last?.['hash'] }]);
    expect(await verifyAudit(path)).toMatchObject({
      isWhole: true,
      text: expect.stringContaining(`goes on from a file that ends with hash ${String(last?.['hash'])}`),
    });
  });

  it('belongs to one process, until that has ended, however it has', async () => {
    await (await open()).stop();
    const other = spawn('flock', ['-x', path, 'sh', '-c', 'echo locked; sleep 60'], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(other.stdout, 'data');

    await expect(open()).rejects.toThrow('is written by another scheduler');
    process.kill(-(other.pid ?? 0), 'SIGKILL');
    await once(other, 'close'); // all that held it have ended
    await write(await open(), 'a');
    await expect(open()).rejects.toThrow(AuditFileError);
  });

  it.each([
    ['a link', (): void => symlinkSync('/etc/hosts', path), 'is a symbolic link'],
    ['a device', (): void => symlinkSync('/dev/null', join(directory, 'x')), 'is not a regular file', '/dev/null'],
    ['something else', (): void => writeFileSync(path, 'root:x:0:0\n'), 'holds something that is no audit log'],
    ['one line of something else', (): void => writeFileSync(path, 'secret'), 'holds something that is no audit log'],
    ['nowhere', (): void => undefined, 'cannot be opened: ENOENT', '/nowhere/audit.log'],
  ])('refuses %s', async (_, make, reason, at = path) => {
    make();

    await expect(open(undefined, at)).rejects.toThrow(reason);
  });

  it('is verified to the first line that was changed, removed or put in', async () => {
    const log = await open();
    await write(log, 'a', 'b', 'c', 'd');
    const whole = written().split('\n');
    const verdictOf = async (content: string[]): Promise<string> => {
      writeFileSync(path, content.join('\n'));
      const { isWhole, text } = await verifyAudit(path);
      return isWhole ? 'whole' : (text.split('\n')[1] ?? '');
    };
    const [a = '', b = '', c = '', d = '', end = ''] = whole;

    expect(await verdictOf([a, b, c, d, end])).toBe('whole');
    expect(await verdictOf([a, b.replace('"b"', '"x"'), c, d, end])).toMatch(/^line 2 is broken: it was changed/);
    expect(await verdictOf([a, c, d, end])).toMatch(/^line 2 is broken: it is number 3 and does not follow/);
    expect(await verdictOf([a, b, b, c, d, end])).toMatch(/^line 3 is broken: it is number 2/);
    expect(await verdictOf([a, b, c, d.replace('"d"', '"x"'), end])).toMatch(/^line 4 is broken/);
    expect(await verdictOf([a, 'x', b, end])).toMatch(/^line 2 is broken/);
  });

  it('keeps what comes while nothing can be written, counts what finds no room, and says both in the chain', async () => {
    const log = await open(3);
    await write(log, 'a');
    rmSync(directory, { recursive: true });
    await write(log, 'b', 'c', 'd', 'lost-1', 'lost-2');
    await write(log, 'lost-3');
    expect(log.lost).toBe(3);

    // Its directory is back.
    symlinkSync(mkdtempSync(join(tmpdir(), 'audit-back-')), directory);
    await log.settled();
    await write(log, 'e');

    const ids = lines().map(({ seq, targets, note, entries }) => [seq, targets ?? note, entries]);
    expect(ids).toEqual([
      [2, ['b'], undefined],
      [3, ['c'], undefined],
      [4, ['d'], undefined],
      [5, 'lost', 3],
      [6, ['e'], undefined],
    ]);
    expect(await verifyAudit(path)).toMatchObject({
      isWhole: true,
      text: expect.stringContaining('3 entries were lost'),
    });
  });

  it('survives that somebody cuts the file off (copytruncate)', async () => {
    const log = await open();
    await write(log, 'a', 'b');
    truncateSync(path);
    await write(log, 'c');

    expect(lines()).toMatchObject([{ seq: 3 }]);
    appendFileSync(path, '');
    expect((await verifyAudit(path)).isWhole).toBe(true);
  });
});
