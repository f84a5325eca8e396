import { membersOf, readProcesses, type SeenProcess } from '../process-tree.js';
import { uptimeMs } from '../uptime.js';
import { eventually, type ExecutorHarness } from './executor-harness.js';

/** Its own group, a session and a group of others, and one with neither mark nor session whose parent lives. */
export const TREE = 'setsid sleep 100 & timeout 100 sleep 100 & env -i setsid sleep 15 & sleep 100';
const TREE_PROCESSES = 6;

/** All of an attempt by its leader's pid, without zombies. */
export function treeOf(leader: number): SeenProcess[] {
  const processes = readProcesses() ?? [];
  const mark = processes.find(({ pid }) => pid === leader)?.mark;
  return mark === undefined ? [] : membersOf(processes, { mark, leader }).filter(({ state }) => state !== 'Z');
}

export function isWholeTree(leader: number): boolean {
  return treeOf(leader).length === TREE_PROCESSES;
}

export function isAllStopped(leader: number): boolean {
  const tree = treeOf(leader);
  return tree.length > 0 && tree.every(({ state }) => state === 'T');
}

/**
 * Keeps the lease while `start` runs and gives it up then. Answers when it ends; when it ended for the first time, where
 * this process was held up for longer than a lease.
 */
export async function withLeaseUntil<T>(
  { executor }: ExecutorHarness,
  leaseMs: number,
  start: () => Promise<T>,
): Promise<T & { leaseEndMs: number }> {
  let endMs = Infinity;
  let lapsedMs: number | undefined;
  const renew = (): void => {
    const now = uptimeMs();
    lapsedMs ??= now >= endMs ? endMs : undefined;
    endMs = now + leaseMs;
    executor.renewLease(now, leaseMs);
  };
  renew();
  const renewing = setInterval(renew, leaseMs / 10);
  try {
    return { ...(await start()), leaseEndMs: lapsedMs ?? endMs };
  } finally {
    clearInterval(renewing);
  }
}

export async function startTree(
  harness: ExecutorHarness,
  more: object = {},
): Promise<{ attempt: string; pid: number }> {
  const attempt = harness.run({ command: TREE, onLeaseLost: 'freeze', ...more });
  const pid = await harness.started(attempt);
  await eventually(3_000, () => isWholeTree(pid));
  return { attempt, pid };
}
