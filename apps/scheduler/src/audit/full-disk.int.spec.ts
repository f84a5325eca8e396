import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { memoryStream } from '../testing/memory-stream.js';
import type { AuditEntry } from './audit-entry.js';
import { FileAuditLog, RETRY_MS } from './file-audit-log.js';
import { verifyAudit } from './verify-audit.js';

const entry = (id: number): AuditEntry => ({
  atMs: 0,
  action: 'job.submit',
  who: 'ci',
  from: '10.0.0.1',
  targets: [`default:${id}`],
  outcome: 'done',
  status: 202,
});

/** A file system of 64 kB, where this may be made. */
function smallDisk(at: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', at], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const probe = mkdtempSync(join(tmpdir(), 'audit-probe-'));
const canMount = smallDisk(probe);
if (canMount) {
  execFileSync('umount', [probe]);
}
rmSync(probe, { recursive: true });

(canMount ? describe : describe.skip)('the audit log on a full disk (needs to be root, to mount one)', () => {
  let directory: string;
  let disk: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'audit-disk-'));
    disk = join(directory, 'disk');
    mkdirSync(disk);
    smallDisk(disk);
  });
  afterEach(() => {
    execFileSync('umount', ['-l', disk]);
    rmSync(directory, { recursive: true });
  });

  it('keeps what was written in part, says it once, and goes on when there is room: nothing missing that is not counted', async () => {
    const path = join(disk, 'audit.log');
    const ballast = join(disk, 'ballast');
    const clock = new ManualClock();
    const out = memoryStream();
    const logger = createLogger({ level: 'info', format: 'json', stream: out.stream });
    const log = new FileAuditLog({ path, clock, logger, maxWaiting: 100 });
    await log.start();
    writeFileSync(ballast, Buffer.alloc(40 * 1024));
    // 300 bytes each: some seventy of them fit, and one in part.
    for (let id = 0; id < 300; id += 1) {
      log.record(entry(id));
      if (id % 50 === 49) {
        await log.settled();
      }
    }
    clock.advance(RETRY_MS);
    await log.settled();
    expect(log.lost).toBeGreaterThan(0);
    expect(out.lines().filter(({ level }) => level === 'error')).toMatchObject([
      { message: expect.stringContaining('cannot be written'), reason: expect.stringContaining('ENOSPC') },
    ]);

    rmSync(ballast);
    execFileSync('mount', ['-o', 'remount,size=1m', disk]);
    clock.advance(RETRY_MS);
    await log.settled();
    log.record(entry(300));
    await log.settled();
    await log.stop();

    expect(out.lines().map(({ message }) => message)).toContain('the audit log can be written again');
    const { isWhole, text } = await verifyAudit(path);
    expect(text).toContain('the chain is whole');
    expect(isWhole).toBe(true);
    const entries = readFileSync(path, 'utf8').match(/"targets":\["default:\d+"\]/g) ?? [];
    expect(new Set(entries).size).toBe(entries.length);
    expect(entries.length + log.lost).toBe(301);
    expect(text).toContain(`${log.lost} entries were lost`);
  });
});
