import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';

import { systemClock } from '@orchestrator/core';
import { silentLogger } from '@orchestrator/telemetry';

import { Cgroup, findOwnCgroup, findSessions } from './cgroup.js';
import { endLeftovers } from './leftovers.js';
import { isAlive, listPids, ownIdentity, readStat } from './proc.js';
import { SessionCgroup } from './process/session-cgroup.js';
import { eventually, startExecutor, stopExecutors, toText } from './testing/executor-harness.js';
import { withLeaseUntil } from './testing/process-trees.js';
import { startWorkerProcess, stopWorkerProcesses } from './testing/worker-process.js';
import { uptimeMs } from './uptime.js';

afterEach(stopExecutors);
afterEach(stopWorkerProcesses);

const NEGATIVE_WAIT_MS = 300;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Escapes session, group, parent and mark; its arguments name it. */
let escaped = 0;
function escapee(): { command: string; pids: () => number[] } {
  escaped += 1;
  const seconds = `1${process.pid}.${escaped}`;
  const pids = (): number[] => listPids().filter((pid) => commandLine(pid) === `sleep\0${seconds}\0`);
  return { command: `(env -i setsid sleep ${seconds} >/dev/null 2>&1 &)`, pids };
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

function cgroupsOfHere(): string[] {
  return findSessions('worker-1').flatMap(({ cgroup, worker }) =>
    worker.pid === process.pid ? [cgroup.directory, ...cgroup.children().map(({ directory }) => directory)] : [],
  );
}

const canUse = ((): boolean => {
  const opened = SessionCgroup.open({ workerId: 'probe', session: 'probe', process: ownIdentity() }, systemClock);
  if (typeof opened === 'string') {
    return false;
  }
  return opened.cgroup.remove();
})();
const itWithCgroups = canUse ? it : it.skip;

describe('ExecutorProcess: a cgroup for each attempt', () => {
  itWithCgroups('has the command in it before it can fork, and is kept for the next one', async () => {
    const { executor, runToEnd } = await startExecutor({ cgroup: 'auto' });

    const end = await runToEnd({ argv: ['cat', '/proc/self/cgroup'] });
    const [session = '', ...kept] = cgroupsOfHere();
    const next = await runToEnd({ argv: ['cat', '/proc/self/cgroup'] });

    const own = findOwnCgroup() ?? '';
    expect(toText(end.output, 'stdout')).toMatch(/^0::.*\/orchestrator-[0-9a-f]{16}-\d+-\d+-\d+\/\d+$/m);
    expect(session).toContain(own);
    expect(kept).toHaveLength(1);
    expect(new Cgroup(kept[0] ?? '').pids()).toEqual([]);
    expect(toText(next.output, 'stdout')).toBe(toText(end.output, 'stdout'));
    await executor.stop();
    expect(cgroupsOfHere()).toEqual([]);
  });

  itWithCgroups.each([
    ['where others of it live', 'setsid sleep 100 &'],
    ['where it has made more', 'mkdir $(sed -n "s,^0::,$MOUNT,p" /proc/self/cgroup)/more'],
  ])('is not kept %s', async (_which, command) => {
    const { runToEnd } = await startExecutor({ cgroup: 'auto' });
    const own = findOwnCgroup() ?? '';
    const path = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '';

    const end = await runToEnd({ command, env: { MOUNT: own.slice(0, own.length - path.length) } });

    expect(end.outcome).toBe('succeeded');
    await eventually(500, () => cgroupsOfHere().length === 1);
  });

  itWithCgroups('is not kept when it was cancelled, and nothing that comes late reaches the next one', async () => {
    const harness = await startExecutor({ cgroup: 'auto' });
    const attempt = harness.run({ command: 'sleep 100', killGraceMs: 0 });
    await harness.started(attempt);
    const [, used = ''] = cgroupsOfHere();
    harness.executor.cancel(attempt, 'by a test');
    await harness.ended(attempt);
    await eventually(500, () => !existsSync(used));

    const first = new Cgroup(used);
    first.create();
    const next = first.handOn();
    first.kill();
    first.freeze();

    expect(next?.isFrozen).toBe(false);
    expect(first.handOn()).toBeUndefined();
    expect(next?.freeze()).toBe(true);
    expect(next?.handOn()).toBeUndefined();
    next?.remove();
  });

  itWithCgroups('ends with the command a daemon that has no mark, no session and no parent of it', async () => {
    const { runToEnd } = await startExecutor({ cgroup: 'auto' });
    const { command, pids } = escapee();

    const end = await runToEnd({ command: `${command}; sleep 0.2` });

    expect(end.outcome).toBe('succeeded');
    await eventually(500, () => pids().length === 0);
    await eventually(500, () => cgroupsOfHere().length === 1);
  });

  it.each([
    ['killed', 0],
    ['cancelled', 5_000],
  ])('has such a daemon dead before it is said to be %s', async (how, killGraceMs) => {
    const harness = await startExecutor({ cgroup: 'auto' });
    if (cgroupsOfHere().length === 0) {
      return;
    }
    const { command, pids } = escapee();
    const attempt = harness.run({ command: `${command}; sleep 100`, killGraceMs });
    await harness.started(attempt);
    await eventually(2_000, () => pids().length === 1);

    if (how === 'killed') {
      await harness.executor.kill(attempt);
    } else {
      harness.executor.cancel(attempt, 'by a test');
      await harness.ended(attempt);
    }

    expect(pids()).toEqual([]);
  });

  itWithCgroups('kills a fork storm at once', async () => {
    const { executor, run, started } = await startExecutor({ cgroup: 'auto' });
    const { command, pids } = escapee();
    const storm = `i=0; while [ $i -lt 200 ]; do ${command}; i=$((i + 1)); done; while :; do ${command}; done`;
    const attempt = run({ command: storm });
    await started(attempt);
    await eventually(10_000, () => pids().length > 100);

    await executor.kill(attempt);

    expect(pids()).toEqual([]);
  });

  itWithCgroups('freezes what has escaped, by the kernel, and continues it', async () => {
    const harness = await startExecutor({ cgroup: 'auto', leaseMs: 0 });
    const frozen = harness.frozen();
    const { command, pids } = escapee();
    const { attempt } = await withLeaseUntil(harness, 500, async () => {
      const id = harness.run({ command: `${command}; while :; do echo x; sleep 0.02; done`, onLeaseLost: 'freeze' });
      await harness.started(id);
      await eventually(2_000, () => pids().length === 1);
      return { attempt: id };
    });
    expect(await frozen).toEqual([attempt]);
    const [cgroup = ''] = cgroupsOfHere().slice(1);
    expect(new Cgroup(cgroup).isFrozen).toBe(true);
    expect(new Cgroup(cgroup).pids()).toEqual(expect.arrayContaining(pids()));
    const thawed = harness.thawed();

    // Continuing it from outside is of no use, and nothing of it was sent a signal.
    new Cgroup(cgroup).pids().forEach((pid) => process.kill(pid, 'SIGCONT'));
    await wait(NEGATIVE_WAIT_MS);
    expect(new Cgroup(cgroup).isFrozen).toBe(true);
    harness.executor.renewLease(uptimeMs(), 60_000);
    harness.executor.confirmHeld([attempt], uptimeMs());

    expect(await thawed).toEqual([attempt]);
    expect(new Cgroup(cgroup).isFrozen).toBe(false);
    await harness.executor.kill(attempt);
    expect(pids()).toEqual([]);
  });

  itWithCgroups('kills what is frozen', async () => {
    const harness = await startExecutor({ cgroup: 'auto', leaseMs: 0 });
    const frozen = harness.frozen();
    const { command, pids } = escapee();
    const { attempt } = await withLeaseUntil(harness, 500, async () => {
      const id = harness.run({ command: `${command}; sleep 100`, onLeaseLost: 'freeze' });
      await eventually(2_000, () => pids().length === 1);
      return { attempt: id };
    });
    await frozen;

    harness.executor.cancel(attempt, 'by a test');

    expect((await harness.ended(attempt)).outcome).toBe('cancelled');
    expect(pids()).toEqual([]);
  });

  itWithCgroups('reports what cannot start as without, and leaves no cgroup of it', async () => {
    const { runToEnd } = await startExecutor({ cgroup: 'auto' });

    const end = await runToEnd({ argv: ['/no/such'] });

    expect(end.end.failure).toMatchObject({ reason: 'spawn_error', message: expect.stringContaining('ENOENT') });
    expect(cgroupsOfHere()).toHaveLength(1);
  });

  it('is not used when it is switched off', async () => {
    const { runToEnd } = await startExecutor({ cgroup: 'off' });

    const end = await runToEnd({ argv: ['cat', '/proc/self/cgroup'] });

    expect(toText(end.output, 'stdout')).toBe(readFileSync('/proc/self/cgroup', 'utf8'));
    expect(cgroupsOfHere()).toEqual([]);
  });
});

describe('ExecutorProcess: cgroups of the dead', () => {
  itWithCgroups('are emptied and removed by the worker when the executor dies', async () => {
    const { executor, executorLost, run, started } = await startExecutor({ cgroup: 'auto' });
    const { command, pids } = escapee();
    const lost = executorLost();
    await started(run({ command: `${command}; sleep 100` }));
    await eventually(2_000, () => pids().length === 1);
    const before = cgroupsOfHere();

    process.kill(executor.pid ?? 0, 'SIGKILL');

    await lost;
    expect(pids()).toEqual([]);
    expect(before.some((directory) => existsSync(directory))).toBe(false);
  });

  itWithCgroups.each([
    ['the worker dies: by the executor', false],
    ['worker and executor die: by the guard', true],
  ])('are emptied when %s', async (_what, both) => {
    const { command, pids } = escapee();
    const worker = await startWorkerProcess([{ command: `${command}; sleep 100` }], { cgroup: 'auto' });
    await eventually(2_000, () => pids().length === 1);

    worker.child.kill('SIGKILL');
    if (both) {
      process.kill(worker.executorPid, 'SIGKILL');
    }

    await eventually(2_000, () => pids().length === 0);
    await eventually(2_000, () => findSessions('worker-1').every(({ worker: { pid } }) => pid !== worker.pid));
  });

  itWithCgroups('are emptied and removed by the next worker of the id, when nobody was left to', async () => {
    const { command, pids } = escapee();
    const worker = await startWorkerProcess([{ command: `${command}; sleep 100` }], { cgroup: 'auto' });
    await eventually(2_000, () => pids().length === 1);
    const guard = worker.marked().find(({ mark }) => mark.endsWith('/@guard'))?.pid ?? 0;
    [guard, worker.executorPid, worker.pid].forEach((pid) => process.kill(pid, 'SIGKILL'));
    await once(worker.child, 'exit');
    await eventually(
      2_000,
      () => readStat(worker.executorPid) === undefined || !isAlive(readStat(worker.executorPid)!),
    );

    await endLeftovers({ workerId: 'worker-1', clock: systemClock, logger: silentLogger, graceMs: 0 });

    expect(pids()).toEqual([]);
    expect(findSessions('worker-1').every(({ worker: { pid } }) => pid !== worker.pid)).toBe(true);
  });
});
