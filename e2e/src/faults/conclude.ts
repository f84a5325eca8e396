import { leftovers } from '../harness/leftovers.js';
import { openJobs } from '../harness/open-jobs.js';
import { waitUntil } from '../harness/wait.js';
import { attemptRuns } from './checker/attempt-runs.js';
import { checkHistory } from './checker/check-history.js';
import { describe, type Violation } from './checker/violation.js';
import type { FaultCluster } from './cluster/fault-cluster.js';
import type { History } from './history.js';
import type { Recorder } from './recorder.js';
import { strayKeys } from './stray-keys.js';

export interface ConcludeOptions {
  /** Bound B: for how long two attempts of a job may have run together. Default 0. */
  overlapMs?: number;
  /** Until every job is final. */
  withinMs?: number;
  /** What the fault of this scenario must or may cause: it is no violation then. Default: nothing. */
  isExpected?: (violation: Violation) => boolean;
}

export interface Conclusion {
  jobs: number;
  starts: number;
  losses: number;
  history: History;
  /** "214 jobs, 231 starts, 3 lost attempts" */
  text: string;
}

const FINAL_WITHIN_MS = 90_000;
const NOTHING_LEFT_WITHIN_MS = 30_000;
const READ_WITHIN_MS = 30_000;
const SHOWN = 12;

export class BrokenPromises extends Error {
  override readonly name = 'BrokenPromises';

  constructor(readonly violations: readonly Violation[]) {
    const more = violations.length > SHOWN ? [`… and ${violations.length - SHOWN} more`] : [];
    super([...violations.slice(0, SHOWN).map(describe), ...more].join('\n'));
  }
}

/** Waits for the end of all jobs, writes down what the API and Redis say of them, and lets the checker judge. */
export async function concludeRun(
  cluster: FaultCluster,
  recorder: Recorder,
  { overlapMs = 0, withinMs = FINAL_WITHIN_MS, isExpected = () => false }: ConcludeOptions = {},
): Promise<Conclusion> {
  const open = async (): Promise<number> => {
    const { queued, scheduled, running } = await openJobs(cluster.redisClient);
    return queued + scheduled + running;
  };
  await waitUntil('all jobs are final', async () => (await open()) === 0, { withinMs, everyMs: 200 }).catch(
    () => undefined,
  );
  const left = await leftInRedis(cluster);
  const api =
    (await Promise.any(cluster.schedulers.map(async (seat) => (await seat.status(), seat.api)))) ?? cluster.api;
  // A long list of a busy Redis: 503 says that it may be asked again.
  const records = await waitUntil('all jobs can be read', () => api.jobs(), { withinMs: READ_WITHIN_MS });
  const stray = await strayKeys(
    cluster.redisClient,
    records.map(({ id }) => id),
  );
  recorder.ended(records, [...left, ...stray.map((key) => `key ${key}`), ...cluster.endedByThemselves()]);
  const history = recorder.history(overlapMs);
  const violations = checkHistory(history).filter((violation) => !isExpected(violation));
  violations.forEach((violation) => recorder.note({ type: 'violation', ...violation }));
  if (violations.length > 0) {
    throw new BrokenPromises(violations);
  }
  const starts = [...attemptRuns(history.lines).values()].reduce((sum, runs) => sum + runs.length, 0);
  const losses = history.jobs.reduce((sum, job) => sum + job.workerLosses, 0);
  const jobs = history.jobs.length;
  return { jobs, starts, losses, history, text: `${jobs} jobs, ${starts} starts, ${losses} lost attempts` };
}

/** Sessions that ended may still have their gate for as long as a death may take. */
async function leftInRedis(cluster: FaultCluster): Promise<string[]> {
  const alive = [...cluster.workers.values()].filter((seat) => seat.isRunning).length;
  let found: string[] = [];
  await waitUntil(
    'nothing is left in Redis',
    async () => {
      found = await leftovers(cluster.redisClient, alive);
      return found.length === 0;
    },
    { withinMs: NOTHING_LEFT_WITHIN_MS, everyMs: 200 },
  ).catch(() => undefined);
  return found;
}
