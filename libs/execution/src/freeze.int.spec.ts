import { isAlive, readStat } from './proc.js';
import { type SeenProcess, signalSeen } from './process-tree.js';
import { eventually, type ExecutorHarness, startExecutor, stopExecutors, toText } from './testing/executor-harness.js';
import { isAllStopped, startTree, treeOf, withLeaseUntil } from './testing/process-trees.js';
import { startWorkerProcess, stopWorkerProcesses } from './testing/worker-process.js';
import { uptimeMs } from './uptime.js';

// Most of the time they wait: so they do it together.
afterAll(stopExecutors);
afterAll(stopWorkerProcesses);

const LEASE_MS = 400;
/** B of the rules: for this long a host that was stopped as a whole may run, after its resume, what it no longer may. */
const OVERLAP_MS = 1_000;
/** Long enough for anything that runs to show itself. */
const NEGATIVE_WAIT_MS = 300;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const identitiesOf = (pid: number): SeenProcess[] => treeOf(pid);
const allDead = (seen: readonly SeenProcess[]): boolean => seen.every((one) => !isAlive(one));

/** Frozen already. */
async function freezeTree(
  harness: ExecutorHarness,
  more: object = {},
): Promise<{ attempt: string; pid: number; tree: SeenProcess[]; frozenAtMs: number; leaseEndMs: number }> {
  const frozen = harness.frozen();
  const started = await withLeaseUntil(harness, LEASE_MS, () => startTree(harness, more));
  const tree = identitiesOf(started.pid);
  expect(await frozen).toEqual([started.attempt]);
  return { ...started, tree, frozenAtMs: uptimeMs() };
}

/** There is a lease again, and `held` is said of it. */
function confirm({ executor }: ExecutorHarness, attempt: string, leaseMs = 60_000): void {
  executor.renewLease(uptimeMs(), leaseMs);
  executor.confirmHeld([attempt], uptimeMs());
}

describe('ExecutorProcess: freeze at the end of the lease', () => {
  it.concurrent(
    'stops everything within a second, whatever its group, session and environment, and continues all on a held',
    async () => {
      const harness = await startExecutor({ leaseMs: 0 });
      const { attempt, pid, tree, frozenAtMs, leaseEndMs } = await freezeTree(harness);

      expect(frozenAtMs - leaseEndMs).toBeLessThan(1_000);
      expect(tree).toHaveLength(6);
      expect(isAllStopped(pid)).toBe(true);

      const thawed = harness.thawed();
      confirm(harness, attempt);

      expect(await thawed).toEqual([attempt]);
      const continued = treeOf(pid);
      expect(continued).toHaveLength(tree.length);
      expect(continued.filter(({ state }) => state === 'T')).toEqual([]);
      expect(harness.ends).toEqual([]);
    },
  );

  it.concurrent('says of an attempt that was frozen once that it was, and keeps its output', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const frozen = harness.frozen();
    const { attempt } = await withLeaseUntil(harness, LEASE_MS, async () => {
      const id = harness.run({ command: 'echo before; sleep 1; echo after; exit 3', onLeaseLost: 'freeze' });
      await harness.started(id);
      return { attempt: id };
    });
    await frozen;

    confirm(harness, attempt);

    const end = await harness.ended(attempt);
    expect(end).toMatchObject({ outcome: 'failed', wasFrozen: true, end: { exitCode: 3 } });
    expect(toText(end.output, 'stdout')).toBe('before\nafter\n');
    expect((await harness.runToEnd({ command: 'true', onLeaseLost: 'freeze' })).wasFrozen).toBeUndefined();
  });

  it.concurrent('leaves nothing running that forks as fast as it can', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const storm = `setsid sh -c 'while :; do sleep 0.01 & done' & while :; do env -i sleep 0.01; done`;
    const frozen = harness.frozen();
    const { pid } = await withLeaseUntil(harness, LEASE_MS, async () => {
      const leader = await harness.started(harness.run({ command: storm, onLeaseLost: 'freeze' }));
      await eventually(3_000, () => treeOf(leader).length > 4);
      return { pid: leader };
    });
    await frozen;
    // What forked between two looks is found by a later one.
    await eventually(OVERLAP_MS, () => isAllStopped(pid));

    const before = treeOf(pid).map(({ pid: member }) => member);
    await wait(NEGATIVE_WAIT_MS);

    expect(isAllStopped(pid)).toBe(true);
    expect(treeOf(pid).map(({ pid: member }) => member)).toEqual(before);
  });

  it.concurrent('leaves stopped what the job itself had stopped', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const frozen = harness.frozen();
    const { attempt, pid } = await withLeaseUntil(harness, LEASE_MS, async () => {
      const id = harness.run({ command: 'sleep 100 & kill -STOP $!; sleep 100', onLeaseLost: 'freeze' });
      const leader = await harness.started(id);
      await eventually(2_000, () => treeOf(leader).length === 3 && treeOf(leader).some(({ state }) => state === 'T'));
      return { attempt: id, pid: leader };
    });
    await frozen;
    expect(isAllStopped(pid)).toBe(true);
    const thawed = harness.thawed();

    confirm(harness, attempt);

    await thawed;
    expect(treeOf(pid).filter(({ state }) => state === 'T')).toHaveLength(1);
  });

  it.concurrent('stops again what somebody else continues', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const { pid, tree } = await freezeTree(harness);

    tree.forEach((seen) => signalSeen(seen, 'SIGCONT'));

    await eventually(OVERLAP_MS, () => isAllStopped(pid));
  });

  it.concurrent('does not count the time it was frozen against the timeout', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const { attempt, pid } = await freezeTree(harness, { timeoutMs: 1_500 });
    await wait(1_500);
    expect(harness.ends).toEqual([]);
    expect(isAllStopped(pid)).toBe(true);

    confirm(harness, attempt);

    const end = await harness.ended(attempt);
    expect(end).toMatchObject({ outcome: 'failed', wasFrozen: true, end: { failure: { reason: 'timeout' } } });
    expect(end.durationMs).toBeGreaterThan(2_500);
  });

  it.concurrent('lets the grace stand still, too', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const command = `trap 'sleep 1; echo cleaned; exit 1' TERM; while :; do sleep 0.05; done`;
    const frozen = harness.frozen();
    const { attempt } = await withLeaseUntil(harness, LEASE_MS, async () => {
      const id = harness.run({ command, onLeaseLost: 'freeze', timeoutMs: 300, killGraceMs: 2_500 });
      await harness.started(id);
      await wait(500);
      return { attempt: id };
    });
    await frozen;
    await wait(2_500);

    confirm(harness, attempt);

    const end = await harness.ended(attempt);
    expect(toText(end.output, 'stdout')).toBe('cleaned\n');
  });
});

describe('ExecutorProcess: what thaws', () => {
  it.concurrent('is neither a renewed lease nor a held for something sent before the freeze', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const { attempt, pid, leaseEndMs } = await freezeTree(harness);

    harness.executor.renewLease(uptimeMs(), 60_000);
    harness.executor.confirmHeld([attempt], leaseEndMs - 50);
    expect((await harness.runToEnd({ command: 'true' })).outcome).toBe('succeeded');
    await wait(NEGATIVE_WAIT_MS);

    expect(isAllStopped(pid)).toBe(true);
  });

  it.concurrent('is no held that is older than the lease, and none without a lease', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const { attempt, pid } = await freezeTree(harness);
    const sentAtMs = uptimeMs();

    harness.executor.confirmHeld([attempt], sentAtMs);
    await wait(LEASE_MS);
    harness.executor.renewLease(uptimeMs(), LEASE_MS);
    harness.executor.confirmHeld([attempt], sentAtMs);
    await wait(NEGATIVE_WAIT_MS);

    expect(isAllStopped(pid)).toBe(true);
  });

  it.concurrent('is a held for something sent after it; the next end of the lease freezes again', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const { attempt, pid } = await freezeTree(harness);
    const thawed = harness.thawed();
    const frozen = harness.frozen();

    confirm(harness, attempt, LEASE_MS);

    expect(await thawed).toEqual([attempt]);
    expect(await frozen).toEqual([attempt]);
    expect(isAllStopped(pid)).toBe(true);
  });
});

describe('ExecutorProcess: the end of what is frozen', () => {
  it.concurrent('cancels it with SIGKILL at once, and never lets it run for that', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const frozen = harness.frozen();
    const { attempt } = await withLeaseUntil(harness, LEASE_MS, async () => {
      const id = harness.run({
        command: `trap 'echo ran; exit 0' TERM CONT; while :; do sleep 0.02; done`,
        onLeaseLost: 'freeze',
        killGraceMs: 60_000,
      });
      await harness.started(id);
      return { attempt: id };
    });
    await frozen;

    harness.executor.cancel(attempt, 'by a test');

    const end = await harness.ended(attempt);
    expect(end).toMatchObject({ outcome: 'cancelled', wasFrozen: true, end: { signal: 'SIGKILL' } });
    expect(toText(end.output, 'stdout')).toBe('');
  });

  it.concurrent('kills it without a word, all of it', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const { attempt, tree } = await freezeTree(harness);

    await harness.executor.kill(attempt);

    await eventually(500, () => allDead(tree));
    expect(harness.ends).toEqual([]);
  });

  it.concurrent('kills it with all others', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const { tree } = await freezeTree(harness);

    await harness.executor.killAll();

    await eventually(500, () => allDead(tree));
  });

  it.concurrent('kills it when it was frozen for longer than its limit, and says so', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const limitReached = harness.freezeLimitReached();
    const { attempt, tree, leaseEndMs } = await freezeTree(harness, { freezeLimitMs: 800 });

    expect(await limitReached).toEqual([attempt]);

    expect(uptimeMs() - leaseEndMs).toBeGreaterThanOrEqual(800);
    await eventually(500, () => allDead(tree));
    expect(harness.ends).toEqual([]);
  });

  it.concurrent('reports the end of one that somebody else has killed, and leaves nothing of it behind', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const { attempt, pid, tree } = await freezeTree(harness);

    process.kill(pid, 'SIGKILL');

    expect(await harness.ended(attempt)).toMatchObject({ outcome: 'failed', wasFrozen: true });
    await eventually(500, () => allDead(tree));
  });

  it("kills at the executor's death what was frozen, and the next executor knows nothing of it", async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const { attempt, tree } = await freezeTree(harness);
    const lost = harness.executorLost();
    const marked = tree.filter(({ mark }) => mark !== undefined);

    process.kill(harness.executor.pid ?? 0, 'SIGKILL');

    expect((await lost).attemptIds).toEqual([attempt]);
    expect(allDead(marked)).toBe(true);
    confirm(harness, attempt);
    expect((await harness.runToEnd({ command: 'true' })).outcome).toBe('succeeded');
    tree.forEach((seen) => signalSeen(seen, 'SIGKILL'));
    await eventually(500, () => allDead(tree));
  });

  it.concurrent.each([
    ['the worker dies: the executor does it', false],
    ['worker and executor die: the guard does it', true],
  ])('kills it when %s', async (_what, both) => {
    const worker = await startWorkerProcess([{ command: 'setsid sleep 100 & sleep 100', onLeaseLost: 'freeze' }], {
      leaseMs: 1_500,
    });
    await eventually(4_000, () => worker.commands().every(({ pid }) => readStat(pid)?.state === 'T'));
    expect(worker.commands().length).toBeGreaterThan(1);

    worker.child.kill('SIGKILL');
    if (both) {
      process.kill(worker.executorPid, 'SIGKILL');
    }

    await eventually(3_000, () => worker.marked().length === 0);
  });
});

describe('ExecutorProcess: kill and continue at the end of the lease', () => {
  it.concurrent('does for each attempt what its job says', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const [frozen, lost] = [harness.frozen(), harness.leaseLost()];
    const { ids } = await withLeaseUntil(harness, LEASE_MS, async () => {
      const started = (['freeze', 'kill', 'continue'] as const).map((onLeaseLost) =>
        harness.run({ command: 'sleep 100', onLeaseLost }),
      );
      const pids = await Promise.all(started.map((attempt) => harness.started(attempt)));
      return { ids: started, pids };
    });

    expect(await frozen).toEqual([ids[0]]);
    expect(await lost).toEqual([ids[1]]);
    const state = await harness.started(ids[2] ?? '').then((pid) => readStat(pid)?.state);
    expect(state).toBe('S');
  });

  it.concurrent('goes on enforcing the timeout of what continues', async () => {
    const harness = await startExecutor({ leaseMs: 0 });
    const { id } = await withLeaseUntil(harness, LEASE_MS, async () => {
      const attempt = harness.run({ command: 'sleep 100', onLeaseLost: 'continue', timeoutMs: LEASE_MS + 500 });
      await harness.started(attempt);
      return { id: attempt };
    });

    expect((await harness.ended(id)).end.failure?.reason).toBe('timeout');
  });
});

/** A short-lived process, such as a shell between two commands, may have ended since it was listed. */
function signalIfThere(pid: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ESRCH');
  }
}

describe('ExecutorProcess: a host that was stopped as a whole', () => {
  const stopAndResume = async (onLeaseLost: 'freeze' | 'kill', command: string): Promise<number[]> => {
    const worker = await startWorkerProcess([{ command, onLeaseLost, timeoutMs: 3_000 }], { leaseMs: 2_000 });
    await eventually(3_000, () => worker.commands().length === 5);
    const everybody = [worker.pid, ...worker.marked().map(({ pid }) => pid)];
    const commands = worker.commands().map(({ pid }) => pid);
    everybody.forEach((pid) => signalIfThere(pid, 'SIGSTOP'));
    await wait(3_200);
    everybody.forEach((pid) => signalIfThere(pid, 'SIGCONT'));
    return commands;
  };
  const isStoppedOrDead = (pid: number): boolean => ['T', 'Z', undefined].includes(readStat(pid)?.state);

  it.concurrent.each(['freeze', 'kill'] as const)('runs nothing a second after it resumes: %s', async (onLeaseLost) => {
    const commands = await stopAndResume(onLeaseLost, 'setsid sleep 100 & timeout 100 sleep 100 & sleep 100');
    const resumedMs = performance.now();

    await eventually(OVERLAP_MS, () => commands.every(isStoppedOrDead));

    const overlapMs = performance.now() - resumedMs;
    await wait(NEGATIVE_WAIT_MS);
    expect(commands.every(isStoppedOrDead)).toBe(true);
    expect(commands.some((pid) => readStat(pid)?.state === 'T')).toBe(onLeaseLost === 'freeze');
    expect(overlapMs).toBeLessThan(OVERLAP_MS);
  });
});
