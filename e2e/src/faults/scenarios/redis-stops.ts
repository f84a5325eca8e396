import { openJobs } from '../../harness/open-jobs.js';
import { letPass, waitUntil } from '../../harness/wait.js';
import { Callers } from '../callers.js';
import { commandsRun, span } from '../measure.js';
import type { Scenario } from '../scenario.js';
import { uptimeMs } from '../uptime.js';
import { LEASE_IS_OVER_AFTER_MS, LeasePolicies, SURVIVES } from './lease-policies.js';
import { requireAliveAndWell, WORKERS } from './redis-trouble.js';

const ACCEPTED_AGAIN_WITHIN_MS = 15_000;

/** Nobody can renew anything: all workers are cut off, in so far as a lease is concerned. */
function stopped(seconds: number): Scenario {
  const outlivesLease = seconds * 1_000 > LEASE_IS_OVER_AFTER_MS;
  return {
    id: `R3-${seconds}`,
    title: `SIGSTOP of Redis for ${seconds} s, jobs with onLeaseLost freeze, kill and continue`,
    promise: outlivesLease
      ? `meanwhile 503 within 3 s; ${SURVIVES}`
      : 'meanwhile 503 within 3 s; then everything goes on; nothing runs twice',
    quick: false,
    async run(context) {
      const { recorder } = context;
      const cluster = await context.cluster({ schedulers: 2, workers: WORKERS, slots: 6 });
      const jobs = await LeasePolicies.submit(context.client());
      const running = async (): Promise<number> => (await openJobs(cluster.redisClient)).running;
      await waitUntil('all run', async () => (await running()) === jobs.count, { withinMs: 10_000 });
      await Promise.race(WORKERS.map((worker) => commandsRun(recorder, worker, 1)));
      const callers = new Callers({ schedulers: cluster.schedulers, recorder, knownJob: jobs.known });
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

      const again = `${answers}; accepted again after ${span([againMs])}`;
      if (!outlivesLease) {
        jobs.requireUntouched(history, losses);
        return `${text}; ${again}`;
      }
      return `${text}; ${jobs.requireKept(history, losses, { sinceMs: fault.atMs, overMs })}; ${again}`;
    },
  };
}

export const redisStops: readonly Scenario[] = [stopped(5), stopped(20), stopped(60)];
