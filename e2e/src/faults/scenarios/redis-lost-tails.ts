import { letPass, waitUntil } from '../../harness/wait.js';
import { attemptRuns } from '../checker/attempt-runs.js';
import type { Violation } from '../checker/violation.js';
import type { Client } from '../client.js';
import type { FaultCluster } from '../cluster/fault-cluster.js';
import { LostTail } from '../cluster/lost-tail.js';
import type { Conclusion } from '../conclude.js';
import type { History } from '../history.js';
import { startLoad } from '../load.js';
import { aroundFault, commandsRun, span } from '../measure.js';
import { requireThat, type Scenario, type ScenarioContext } from '../scenario.js';
import { requireAliveAndWell } from './redis-trouble.js';

interface Tail {
  id: string;
  title: string;
  promise?: string;
  quick?: boolean;
  /** Default 2. */
  schedulers?: number;
  /** At the start. Default worker-1. */
  workers?: readonly string[];
  isExpected?: (violation: Violation) => boolean;
  lose(parts: { cluster: FaultCluster; context: ScenarioContext; client: Client; tail: LostTail }): Promise<void>;
  /** Default: each job started once. */
  judge?(conclusion: Conclusion): string;
}

const JOBS = 4;
const LONG_JOB_MS = 7_000;
/** Redis is back, connections are made, the worker is asked to say Hello again. */
const ENDED_WITHIN_MS = 1_500;

function lostTail(params: Tail): Scenario {
  const { id, title, quick = false, schedulers = 2, workers = ['worker-1'], isExpected } = params;
  return {
    id,
    title: `a restart of Redis that loses ${title}`,
    promise: params.promise ?? 'what workers hold is adopted: it goes on, in the same attempt, and runs nowhere else',
    quick,
    needs: ['a local redis-server'],
    async run(context) {
      const redisArgs = ['--appendfsync', 'always'];
      const cluster = await context.cluster({ schedulers, workers, redisArgs });
      const tail = await LostTail.of(cluster);
      await params.lose({ cluster, context, client: context.client(), tail });
      const since = performance.now();
      const conclusion = await context.conclude(isExpected === undefined ? {} : { isExpected });
      const finalMs = performance.now() - since;
      await requireAliveAndWell(cluster);
      const judged = (params.judge ?? eachOnce)(conclusion);
      return `${conclusion.text}${judged}; all final ${span([finalMs])} after it${await adopted(cluster)}`;
    },
  };
}

function eachOnce({ jobs, starts, losses }: Conclusion): string {
  requireThat(
    starts === jobs && losses === 0,
    `${jobs} jobs, ${starts} starts, ${losses} losses: each was to run once`,
  );
  return '';
}

async function adopted(cluster: FaultCluster): Promise<string> {
  const counts = await Promise.all(cluster.schedulers.map((seat) => seat.metric('orchestrator_jobs_adopted_total')));
  return `; ${counts.reduce((sum, count) => sum + count, 0)} adopted`;
}

async function lose({ recorder }: ScenarioContext, tail: LostTail): Promise<void> {
  recorder.fault({ what: 'a lost tail', target: 'redis' });
  await tail.lose();
}

const submitLong = (client: Client, fields: Record<string, unknown> = {}): Promise<unknown> =>
  Promise.all(Array.from({ length: JOBS }, () => client.submit({ ms: LONG_JOB_MS, fields })));

/** The job is there, and nobody has it. */
const claimLost = (id: string, schedulers: number, quick: boolean): Scenario =>
  lostTail({
    id,
    title: `the claims of what runs (${schedulers === 1 ? 'one scheduler' : `${schedulers} schedulers`})`,
    quick,
    schedulers,
    async lose({ context, client, tail }) {
      await submitLong(client, { delay: 1 });
      await tail.remember();
      await commandsRun(context.recorder, 'worker-1', JOBS);
      await letPass(context.random.between(0, 1_500));
      await lose(context, tail);
    },
  });

/** Redis has forgotten the first start with everything that came of it, so the next one is called the same. */
const runsAgain = ({ rule }: Violation): boolean => rule === 'STARTS_ONCE' || rule === 'STARTS_CLAIMED';

function requireStartedAgain({ jobs, starts, losses }: Conclusion): void {
  requireThat(losses === 0, `${losses} attempts were counted as lost: nobody had died`);
  requireThat(starts === 2 * jobs, `${starts} starts of ${jobs} jobs: expected two of each`);
}

/**
 * Redis has never heard of the session that holds them. It may as well have died in the lost time, and dead is for ever:
 * it is told so.
 */
const sessionLost = (id: string, schedulers: number): Scenario =>
  lostTail({
    id,
    title: `the registration of the worker and its claims (${schedulers === 1 ? 'one scheduler' : `${schedulers} schedulers`})`,
    promise: 'what it runs is ended within a second, and only then runs again',
    schedulers,
    workers: [],
    isExpected: runsAgain,
    async lose({ cluster, context, client, tail }) {
      await submitLong(client);
      await tail.remember();
      await cluster.startWorker('worker-1');
      await commandsRun(context.recorder, 'worker-1', JOBS);
      await letPass(context.random.between(0, 1_500));
      await lose(context, tail);
    },
    judge(conclusion) {
      const { history } = conclusion;
      const [fault] = history.faults;
      requireStartedAgain(conclusion);
      const { lastLineMs, restartMs } = aroundFault(history, {
        atMs: 0,
        what: '',
        mayLose: [],
        ...fault,
        target: 'worker-1',
      });
      requireThat(lastLineMs <= ENDED_WITHIN_MS, `a command wrote ${lastLineMs} ms after the loss: allowed 1500`);
      return `; ended ${span([lastLineMs])} after it, again after ${span(restartMs)}`;
    },
  });

const heartbeatsLost: Scenario = lostTail({
  id: 'R13',
  title: 'the last 2 s, in which jobs ran',
  async lose({ context, client, tail }) {
    await submitLong(client);
    await commandsRun(context.recorder, 'worker-1', JOBS);
    await tail.remember();
    await letPass(2_000);
    await lose(context, tail);
  },
});

const lostTwice: Scenario = lostTail({
  id: 'R13-twice',
  title: 'the claims of what runs, and a second one 0–4 s later, amid the recovery',
  async lose({ context, client, tail }) {
    await submitLong(client, { delay: 1 });
    await tail.remember();
    await commandsRun(context.recorder, 'worker-1', JOBS);
    await lose(context, tail);
    await letPass(context.random.between(0, 4_000));
    await lose(context, tail);
  },
});

/** What started and ended before the loss: Redis forgot that it was accepted, and its worker has dropped it since. */
const resultLost: Scenario = lostTail({
  id: 'R13-result',
  title: 'results that were recorded already',
  promise:
    'these jobs run again (at least once; durability says how much Redis may lose); each has one accepted result',
  isExpected: runsAgain,
  async lose({ cluster, context, client, tail }) {
    const submissions = await Promise.all(Array.from({ length: JOBS }, () => client.submit({ ms: 1_500 })));
    await commandsRun(context.recorder, 'worker-1', JOBS);
    await tail.remember();
    await Promise.all(submissions.map(({ id = '' }) => cluster.api.finalJob(id, 10_000)));
    await lose(context, tail);
  },
  judge(conclusion) {
    requireStartedAgain(conclusion);
    return ', each ran again once';
  },
});

const ROUNDS = 4;
const REMEMBERED = 'what is lost begins here';

/** What ran when Redis came back, and whose result Redis kept, was its job's last start. */
function requireHeldWentOn({ lines, faults }: History): void {
  const tails = faults.flatMap((fault, index) => {
    const next = faults[index + 1];
    return fault.what === REMEMBERED && next !== undefined ? [{ fromMs: fault.atMs, lostMs: next.atMs }] : [];
  });
  const isForgotten = (atMs: number): boolean => tails.some(({ fromMs, lostMs }) => atMs >= fromMs && atMs <= lostMs);
  const doubled = [...attemptRuns(lines).values()].flatMap((runs) =>
    runs.filter(
      (run) =>
        run.code === 0 &&
        run.starts === 1 &&
        tails.some(({ lostMs }) => run.firstMs <= lostMs && run.lastMs > lostMs) &&
        !isForgotten(run.lastMs) &&
        runs.some((other) => other.firstLine > run.lastLine),
    ),
  );
  const which = doubled.slice(0, 3).map(({ job, attempt }) => `${job} attempt ${attempt}`);
  requireThat(doubled.length === 0, `${doubled.length} ran during a loss, and again afterwards: ${which.join(', ')}`);
}

/** Some are waiting, running, ended, failed and waiting again: whatever was true at each moment. */
const underLoad: Scenario = lostTail({
  id: 'R13-load',
  title: `0.2–2.5 s of what happened to jobs under load, ${ROUNDS} times`,
  promise:
    'what ran goes on; what had ended in the lost time runs again; every job ends as it has to, with one accepted result',
  workers: ['worker-1', 'worker-2', 'worker-3'],
  isExpected: runsAgain,
  async lose({ cluster, context, client, tail }) {
    for (let round = 0; round < ROUNDS; round += 1) {
      const stopLoad = startLoad(client, context.random, { jobsPerSecond: 25, longOf100: 25 });
      await letPass(3_000);
      await stopLoad();
      await tail.remember();
      context.recorder.fault({ what: REMEMBERED, target: 'redis' });
      await letPass(context.random.between(200, 2_500));
      await lose(context, tail);
      await waitUntil('jobs are claimed again', async () => (await cluster.redisClient.zcard(QUEUED)) === 0, {
        withinMs: 45_000,
      });
    }
  },
  judge({ losses, starts, history }) {
    requireThat(losses === 0, `${losses} attempts were counted as lost: nobody had died`);
    const wanted = history.jobs.reduce((sum, job) => sum + job.attempts, 0);
    requireHeldWentOn(history);
    return `, ${starts - wanted} starts of what had ended in the lost time`;
  },
});

const QUEUED = 'orc:p:{default}:queued';

export const redisLostTails: readonly Scenario[] = [
  heartbeatsLost,
  claimLost('R13-claim', 2, true),
  claimLost('R13-claim-1', 1, false),
  sessionLost('R13-hello', 2),
  sessionLost('R13-hello-1', 1),
  resultLost,
  lostTwice,
  underLoad,
];
