import { openJobs } from '../../harness/open-jobs.js';
import { letPass, waitUntil } from '../../harness/wait.js';
import { Callers } from '../callers.js';
import type { FaultCluster, FaultClusterOptions } from '../cluster/fault-cluster.js';
import type { ConcludeOptions, Conclusion } from '../conclude.js';
import type { History } from '../history.js';
import { startLoad } from '../load.js';
import { span } from '../measure.js';
import { requireThat, type Scenario, type ScenarioContext } from '../scenario.js';
import { uptimeMs } from '../uptime.js';

export interface RedisTrouble {
  id: string;
  title: string;
  promise: string;
  quick?: boolean;
  needs?: Scenario['needs'];
  options?: FaultClusterOptions;
  /** What a submission may be answered. Default 201 and 503. */
  submissions?: readonly number[];
  /** Default 10. */
  jobsPerSecond?: number;
  conclude?: ConcludeOptions;
  /** After the end of it, by every scheduler. Default 15 s. */
  acceptedAgainWithinMs?: number;
  /** Makes it, for as long as it lasts, and ends it. Answers what was measured. */
  trouble(cluster: FaultCluster, context: ScenarioContext, callers: Callers): Promise<string>;
  /** What is to be true besides. */
  finally?(conclusion: Conclusion, cluster: FaultCluster): Promise<void> | void;
}

export const WORKERS = ['worker-1', 'worker-2'];
const LONG_JOBS = 4;
const LONG_JOB_MS = 9_000;
const ACCEPTED_AGAIN_WITHIN_MS = 15_000;

/**
 * Load of people who repeat, callers who try once, and four jobs that run the whole time, while something is done to
 * Redis. Nobody's worker dies: so nothing may be lost, and nothing may start for a second time.
 */
export function troubleOfRedis(params: RedisTrouble): Scenario {
  const { id, title, promise, quick = false, needs = [], options = {}, jobsPerSecond = 10 } = params;
  return {
    id,
    title,
    promise,
    quick,
    needs,
    async run(context) {
      const cluster = await context.cluster({ schedulers: 2, workers: WORKERS, slots: 6, ...options });
      const client = context.client();
      const known = await client.submit({ ms: LONG_JOB_MS });
      await Promise.all(Array.from({ length: LONG_JOBS - 1 }, () => client.submit({ ms: LONG_JOB_MS })));
      await waitUntil('the long ones run', async () => (await openJobs(cluster.redisClient)).running >= LONG_JOBS, {
        withinMs: 10_000,
      });
      const callers = new Callers({
        schedulers: cluster.schedulers,
        recorder: context.recorder,
        knownJob: known.id ?? '',
        ...(params.submissions === undefined ? {} : { submissions: params.submissions }),
      });
      const stopLoad = startLoad(client, context.random, { jobsPerSecond, longOf100: 4 });
      await letPass(1_500);
      const measured = await params.trouble(cluster, context, callers);
      const overMs = uptimeMs();
      context.recorder.note({ type: 'over' });
      const againMs = await waitUntil(
        'every scheduler accepts submissions again',
        () => callers.acceptedAgainAfterMs(overMs),
        { withinMs: params.acceptedAgainWithinMs ?? ACCEPTED_AGAIN_WITHIN_MS },
      );
      await letPass(2_000);
      await stopLoad();
      const answers = await callers.conclude();
      const conclusion = await context.conclude(params.conclude);
      requireStartedOnce(conclusion);
      await requireAliveAndWell(cluster);
      await params.finally?.(conclusion, cluster);
      return [
        conclusion.text,
        ...(measured === '' ? [] : [measured]),
        answers,
        `accepted again after ${span([againMs])}`,
      ].join('; ');
    },
  };
}

/** Jobs of the load have as many attempts as they need: each is used, none twice. */
export function requireStartedOnce({ history, starts, losses }: Conclusion): void {
  const wanted = history.jobs.reduce((sum, job) => sum + job.attempts, 0);
  requireThat(losses === 0, `${losses} attempts were counted as lost: nobody had died`);
  requireThat(starts === wanted, `${starts} starts: expected ${wanted}; ${unexpectedAttempts(history)}`);
}

function unexpectedAttempts({ jobs }: History): string {
  return jobs
    .filter((job) => job.history.length !== job.attempts)
    .slice(0, 3)
    .map(({ id, history }) => `${id} had ${history.map(({ number, outcome }) => `${number} ${outcome}`).join(', ')}`)
    .join('; ');
}

export async function requireAliveAndWell(cluster: FaultCluster, withinMs = 15_000): Promise<void> {
  await waitUntil(
    'all workers are alive and well',
    async () =>
      (await cluster.api.workers()).filter(({ state, health }) => state === 'alive' && health === 'ok').length ===
      [...cluster.workers.values()].filter((seat) => seat.isRunning).length,
    { withinMs },
  );
}
