import { type ChildProcess, spawn } from 'node:child_process';

import { MARK_VARIABLE } from './mark.js';
import { isAlive, lookAt } from './proc.js';
import { type SeenProcess, signalGroupOf, signalSeen } from './process-tree.js';
import { findMarked, type MarkedProcess, signalMarked } from './sweep.js';
import { eventually } from './testing/executor-harness.js';

/** A signal of ours would have ended it by then. */
const NEGATIVE_WAIT_MS = 100;

describe('a number that was given to another process meanwhile', () => {
  const mark = `stale/${process.pid}/1-1/attempt`;
  let other: ChildProcess;
  beforeEach(async () => {
    other = spawn('sleep', ['100'], {
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, [MARK_VARIABLE]: mark },
    });
    await eventually(2_000, () => findMarked((found) => found === mark).length === 1);
  });
  afterEach(() => void other.kill('SIGKILL'));

  function found(): MarkedProcess & SeenProcess {
    const [marked] = findMarked((each) => each === mark);
    const stat = lookAt(other.pid ?? 0);
    if (marked === undefined || stat === undefined) {
      throw new Error('it does not run');
    }
    return { ...stat, ...marked };
  }

  it.each([
    ['signalMarked', signalMarked],
    ['signalSeen', signalSeen],
    ['signalGroupOf', signalGroupOf],
  ])('is not signalled by %s, who had found an earlier one', async (_name, signal) => {
    const now = found();
    const earlier = { ...now, startTime: String(Number(now.startTime) - 1) };

    expect(signal(earlier, 'SIGKILL')).toBe(false);
    await letPass(NEGATIVE_WAIT_MS);
    expect([other.exitCode, other.signalCode]).toEqual([null, null]);

    expect(signal(now, 'SIGKILL')).toBe(true);
    await eventually(2_000, () => other.signalCode === 'SIGKILL');
  });

  it('does not make the earlier one live', () => {
    const { pid, startTime } = found();

    expect(isAlive({ pid, startTime })).toBe(true);
    expect(isAlive({ pid, startTime: String(Number(startTime) - 1) })).toBe(false);
  });
});

async function letPass(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
