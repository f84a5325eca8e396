import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { clockEnvironment, setClock } from './clock.js';

const HOUR_MS = 3_600_000;
const SHOW =
  'console.log(JSON.stringify([Date.now(), new Date().getTime(), new Date(5).getTime(), new Date() instanceof Date, Date.UTC(1970, 0, 1)]))';

describe('a wall clock that is set', () => {
  it.each([HOUR_MS, -HOUR_MS, 0])('moves Date by %d ms and leaves dates that are named alone', async (offsetMs) => {
    const folder = mkdtempSync(join(tmpdir(), 'orchestrator-clock-'));
    const env = { ...process.env, ...clockEnvironment(folder, 'worker-1') };
    setClock(folder, 'worker-1', offsetMs);
    const before = Date.now();
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', SHOW], { env });
    const [now = 0, created = 0, ...rest] = JSON.parse(stdout) as number[];
    rmSync(folder, { recursive: true });

    expect(now - offsetMs).toBeGreaterThanOrEqual(before);
    expect(now - offsetMs).toBeLessThanOrEqual(Date.now());
    expect(created - now).toBeLessThan(1_000);
    expect(rest).toEqual([5, true, 0]);
  });
});
