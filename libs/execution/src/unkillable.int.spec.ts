import { accessSync, constants, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';

import { readStat } from './proc.js';
import { eventually, startExecutor, stopExecutors } from './testing/executor-harness.js';

afterEach(stopExecutors);

/** A process frozen by the old freezer heeds no signal, as one that waits for a dead file server. */
const FREEZER = '/sys/fs/cgroup/freezer';
const NEGATIVE_WAIT_MS = 500;

const itWithFreezer = canFreeze() ? it : it.skip;

describe('ExecutorProcess: what cannot be killed', () => {
  itWithFreezer('is not called dead before it is', async () => {
    const { executor, run, started } = await startExecutor();
    const attempt = run({ argv: ['sleep', '100'] });
    const pid = await started(attempt);
    const group = `${FREEZER}/orchestrator-test-${pid}`;
    mkdirSync(group);
    try {
      writeFileSync(`${group}/cgroup.procs`, String(pid));
      writeFileSync(`${group}/freezer.state`, 'FROZEN');
      await eventually(2_000, () => readStat(pid)?.state === 'D');
      let isKilled = false;

      const killed = executor.kill(attempt).then(() => (isKilled = true));
      await new Promise((resolve) => setTimeout(resolve, NEGATIVE_WAIT_MS));

      expect(isKilled).toBe(false);
      writeFileSync(`${group}/freezer.state`, 'THAWED');
      await killed;
      expect(readStat(pid)).toBeUndefined();
    } finally {
      writeFileSync(`${group}/freezer.state`, 'THAWED');
      await eventually(2_000, () => remove(group));
    }
  });
});

function remove(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

function canFreeze(): boolean {
  try {
    accessSync(`${FREEZER}/cgroup.procs`, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
