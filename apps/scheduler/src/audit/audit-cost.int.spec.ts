import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { systemClock } from '@orchestrator/core';
import { createLogger, silentLogger } from '@orchestrator/telemetry';

import type { AuditEntry, AuditLog } from './audit-entry.js';
import { FileAuditLog } from './file-audit-log.js';
import { LogAuditLog } from './log-audit-log.js';

const ENTRIES = 10_000;
/** Ten times what it takes on an idle machine: this finds an accident, not a percent. */
const LIMIT_US = 300;

const entry: AuditEntry = {
  atMs: Date.UTC(2026, 0, 1),
  action: 'job.submit',
  who: 'ci',
  from: '10.0.0.1',
  targets: ['default:01JD0000000000000000000000'],
  outcome: 'done',
  status: 201,
};

describe('the cost of an entry of the audit log', () => {
  const measure = async (name: string, log: AuditLog, settled: () => Promise<void>): Promise<number> => {
    const before = process.cpuUsage();
    const start = performance.now();
    for (let i = 0; i < ENTRIES; i += 1) {
      log.record(entry);
    }
    const taken = performance.now() - start;
    await settled();
    const { user, system } = process.cpuUsage(before);
    const all = performance.now() - start;
    const each = (ms: number): string => ((ms * 1_000) / ENTRIES).toFixed(1);
    const cpu = (user + system) / ENTRIES;
    process.stdout.write(
      `${name}: ${each(taken)} µs to take one, ${each(all)} µs until it is kept, ${cpu.toFixed(1)} µs of CPU\n`,
    );
    return cpu;
  };

  it('is small in a file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'audit-cost-'));
    const log = new FileAuditLog({ path: join(directory, 'audit.log'), clock: systemClock, logger: silentLogger });
    const cost = await measure('file', log, () => log.settled());
    await log.stop();
    rmSync(directory, { recursive: true });

    expect(log.lost).toBe(0);
    expect(cost).toBeLessThan(LIMIT_US);
  });

  it('is small in the log', async () => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
    const logger = createLogger({ level: 'info', format: 'json', stream });
    const cost = await measure('log', new LogAuditLog(logger.gathering({})), async () => {
      await nextTurn(); // it writes at the end of this one
      await logger.flush();
    });

    expect(cost).toBeLessThan(LIMIT_US);
  });
});
