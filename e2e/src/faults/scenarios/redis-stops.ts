import { letPass, waitUntil } from '../../harness/wait.js';
import { Callers } from '../callers.js';
import { attemptRuns, type AttemptRun } from '../checker/attempt-runs.js';
import type { Submission } from '../history.js';
import { commandsRun, span } from '../measure.js';
import { requireThat, type Scenario } from '../scenario.js';
import { uptimeMs } from '../uptime.js';
import { requireAliveAndWell, WORKERS } from './redis-trouble.js';

const POLICIES = ['freeze', 'kill', 'continue'] as const;
type Policy = (typeof POLICIES)[number];

/** Heartbeats are sent every 3 s, so 12 s of lease are over 9 to 12 s after the stop. */
const LEASE_IS_OVER_AFTER_MS = 12_500;
const LONG_JOB_MS = 18_000;
const ACCEPTED_AGAIN_WITHIN_MS = 15_000;

/** Nobody can renew anything: all workers are cut off, in so far as a lease is concerned. */
function stopped(seconds: number): Scenario {
  const outlivesLease = seconds * 1_000 > LEASE_IS_OVER_AFTER_MS;
  return {
    id: `R3-${seconds}`,
    title: `SIGSTOP of Redis for ${seconds} s, jobs with onLeaseLost freeze, kill and continue`,
    promise: outlivesLease
      ? 'meanwhile 503 within 3 s; frozen jobs go on where they stopped, in the same attempt; those that are to be killed run again; nobody is taken for dead'
      : 'meanwhile 503 within 3 s; then everything goes on; nothing runs twice',
    quick: false,
    async run(context) {
      const { recorder } = context;
      const cluster = await context.cluster({ schedulers: 2, workers: WORKERS, slots: 6 });
      const client = context.client();
      const jobs = new Map<Policy, Submission[]>();
      for (const policy of POLICIES) {
        const fields = { onLeaseLost: policy };
        const some = [0, 1].map(() => client.submit({ ms: LONG_JOB_MS, fields }));
        jobs.set(policy, await Promise.all(some));
      }
      await waitUntil('all run', async () => (await cluster.redisClient.zcard('orc:p:{default}:running')) === 6, {
        withinMs: 10_000,
      });
      await Promise.race(WORKERS.map((worker) => commandsRun(recorder, worker, 1)));
      const knownJob = jobs.get('freeze')?.[0]?.id ?? '';
      const callers = new Callers({ schedulers: cluster.schedulers, recorder, knownJob });
      await letPass(1_000);

      const fault = recorder.fault({
        what: `SIGSTOP for ${seconds} s`,
        target: 'redis',
        ...(outlivesLease ? { mayLose: ['*'], mayLoseForMs: seconds * 1_000 + 30_000 } : {}),
      });
      await cluster.redis.signal('SIGSTOP');
      await letPass(seconds * 1_000);
      await cluster.redis.signal('SIGCONT');
      const overMs = uptimeMs();
      const againMs = await waitUntil('submissions are accepted', () => callers.acceptedAgainAfterMs(overMs), {
        withinMs: ACCEPTED_AGAIN_WITHIN_MS,
      });
      await letPass(2_000);
      const answers = await callers.conclude();
      const { history, losses, text } = await context.conclude();
      await requireAliveAndWell(cluster);

      const runs = attemptRuns(history.lines);
      const runsOf = (policy: Policy): AttemptRun[][] =>
        (jobs.get(policy) ?? []).map(({ id }) => runs.get(id ?? '') ?? []);
      for (const policy of POLICIES) {
        const counts = runsOf(policy).map((ofJob) => ofJob.length);
        const wanted = policy === 'kill' && outlivesLease ? 2 : 1;
        requireThat(
          counts.every((count) => count === wanted),
          `jobs with onLeaseLost ${policy} started ${counts.join(' and ')} times: expected ${wanted}`,
        );
      }
      requireThat(losses === (outlivesLease ? 2 : 0), `${losses} attempts were counted as lost`);
      if (!outlivesLease) {
        return `${text}; ${answers}; accepted again after ${span([againMs])}`;
      }
      const [frozen, killed] = [runsOf('freeze').flat(), runsOf('kill').map(([first]) => first)].map((each) =>
        each.flatMap((run) => (run === undefined ? [] : [lastBefore(run, overMs) - fault.atMs])),
      );
      const thawed = runsOf('freeze')
        .flat()
        .map((run) => (run.wrote.find(({ atMs }) => atMs >= overMs)?.atMs ?? Infinity) - overMs);
      for (const lastMs of [...(frozen ?? []), ...(killed ?? [])]) {
        requireThat(
          lastMs <= LEASE_IS_OVER_AFTER_MS,
          `a command wrote ${lastMs} ms after the stop: its lease was over`,
        );
      }
      return `${text}; frozen ${span(frozen ?? [])} after the stop, went on ${span(thawed)} after the end of it; killed after ${span(killed ?? [])}; ${answers}; accepted again after ${span([againMs])}`;
    },
  };
}

function lastBefore({ wrote }: AttemptRun, atMs: number): number {
  return Math.max(0, ...wrote.filter((line) => line.atMs < atMs).map((line) => line.atMs));
}

export const redisStops: readonly Scenario[] = [stopped(5), stopped(20), stopped(60)];
