import type { Api, JobView } from '../../harness/api.js';
import { openJobs } from '../../harness/open-jobs.js';
import { letPass, waitUntil } from '../../harness/wait.js';
import type { Client } from '../client.js';
import { startLoad } from '../load.js';
import { commandsRun, span } from '../measure.js';
import { requireThat, type Scenario, type ScenarioContext } from '../scenario.js';
import { uptimeMs } from '../uptime.js';
import { LeasePolicies, SURVIVES } from './lease-policies.js';
import { requireAliveAndWell } from './redis-trouble.js';

const QUICK_ROUNDS = 8;
const ROUNDS = 100;

/** Any moment of a submission, a claim, an assignment, a result. */
function killedAtRandom(rounds: number): Scenario {
  return {
    id: rounds === QUICK_ROUNDS ? 'P6' : 'P6-100',
    title: `SIGKILL of a scheduler 0–300 ms after submissions, ${rounds} times`,
    promise: 'a request that is repeated with its Idempotency-Key makes one job; nothing is lost, nothing runs twice',
    quick: rounds === QUICK_ROUNDS,
    async run(context) {
      const { random, recorder } = context;
      const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1', 'worker-2', 'worker-3'] });
      const client = context.client();
      const submissions: Promise<unknown>[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const victim = random.pick(cluster.schedulers);
        submissions.push(...Array.from({ length: 6 }, () => client.submit({ ms: random.between(10, 200) })));
        await letPass(random.between(0, 300));
        recorder.fault({ what: 'SIGKILL', target: victim.name });
        await victim.restart();
      }
      await Promise.all(submissions);
      const { jobs, text } = await context.conclude();
      requireThat(jobs === rounds * 6, `${jobs} jobs: expected ${rounds * 6}`);
      return text;
    },
  };
}

const bothKilled: Scenario = {
  id: 'P7',
  title: 'SIGKILL of all schedulers under load, restart after 5 s',
  promise: 'what runs goes on and is recorded afterwards; nothing is lost, nothing runs twice',
  quick: false,
  async run(context) {
    const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1', 'worker-2'] });
    const stopLoad = startLoad(context.client(), context.random, { jobsPerSecond: 20, longOf100: 20 });
    await letPass(4_000);
    context.recorder.fault({ what: 'SIGKILL', target: 'scheduler-1 and scheduler-2' });
    await Promise.all(cluster.schedulers.map((seat) => seat.kill()));
    await letPass(5_000);
    cluster.schedulers.forEach((seat) => seat.launch());
    await Promise.all(cluster.schedulers.map((seat) => seat.ready()));
    const backMs = performance.now();
    await waitUntil('both workers are back', async () => (await aliveAndWell(context, cluster.api)) === 2, {
      withinMs: 20_000,
    });
    const workersMs = performance.now() - backMs;
    await letPass(3_000);
    await stopLoad();
    const { jobs, starts, text } = await context.conclude();
    return `${text}; ${starts - jobs} retries of failing ones; all workers back ${span([workersMs])} after the restart`;
  },
};

const GONE_MS = 60_000;

/** Longer than any lease: what runs is frozen, killed or goes on, as each job wishes, and its worker waits for somebody. */
const bothGoneForLong: Scenario = {
  id: 'P7-60',
  title: 'SIGKILL of all schedulers, restart after 60 s, jobs with onLeaseLost freeze, kill and continue',
  promise: SURVIVES,
  quick: false,
  async run(context) {
    const { recorder } = context;
    const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1', 'worker-2'], slots: 6 });
    const jobs = await LeasePolicies.submit(context.client());
    const running = async (): Promise<number> => (await openJobs(cluster.redisClient)).running;
    await waitUntil('all run', async () => (await running()) === jobs.count, { withinMs: 10_000 });
    await letPass(1_000);
    const fault = recorder.fault({
      what: `SIGKILL, gone for ${GONE_MS / 1_000} s`,
      target: 'scheduler-1 and scheduler-2',
      mayLose: ['*'],
      mayLoseForMs: GONE_MS + 30_000,
    });
    await Promise.all(cluster.schedulers.map((seat) => seat.kill()));
    await letPass(GONE_MS);
    const overMs = uptimeMs();
    cluster.schedulers.forEach((seat) => seat.launch());
    await Promise.all(cluster.schedulers.map((seat) => seat.ready()));
    const { history, losses, text } = await context.conclude();
    await requireAliveAndWell(cluster);
    return `${text}; ${jobs.requireKept(history, losses, { sinceMs: fault.atMs, overMs })}`;
  },
};

/** `--soak`-like: both at once, 50 times. */
const bothKilled50Times: Scenario = {
  id: 'K50',
  title: 'SIGKILL of both schedulers at random moments, 50 times, under load',
  promise: 'nothing lost, nothing doubled',
  quick: false,
  async run(context) {
    const { random, recorder } = context;
    const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1', 'worker-2', 'worker-3'] });
    const stopLoad = startLoad(context.client(), random, { jobsPerSecond: 20 });
    for (let round = 0; round < 50; round += 1) {
      await letPass(random.between(0, 2_500));
      recorder.fault({ what: 'SIGKILL', target: 'scheduler-1 and scheduler-2' });
      const pauseMs = random.between(0, 400);
      await cluster.scheduler(1).kill();
      await letPass(random.between(0, 1) * pauseMs);
      await cluster.scheduler(2).kill();
      cluster.schedulers.forEach((seat) => seat.launch());
      await Promise.all(cluster.schedulers.map((seat) => seat.ready()));
    }
    await stopLoad();
    const { text } = await context.conclude();
    return `${text}; 50 kills of both`;
  },
};

async function aliveAndWell(
  context: ScenarioContext,
  api: { workers(): Promise<{ state: string; health: string }[]> },
): Promise<number> {
  const workers = await api.workers();
  context.recorder.note({ type: 'workers', workers });
  return workers.filter(({ state, health }) => state === 'alive' && health === 'ok').length;
}

const terminated: Scenario = {
  id: 'P10',
  title: 'SIGTERM of a scheduler, then of a worker, under load',
  promise: 'exit code 0, no failed submission, no lost attempt; what runs ends or is handed over for free',
  quick: true,
  async run(context) {
    const cluster = await context.cluster({
      schedulers: 2,
      workers: ['worker-1', 'worker-2'],
      workerArgs: ['--drain-timeout=2s'],
    });
    const stopLoad = startLoad(context.client(), context.random, { jobsPerSecond: 20 });
    await letPass(2_000);
    const scheduler = cluster.scheduler(1);
    context.recorder.fault({ what: 'SIGTERM', target: scheduler.name });
    const schedulerMs = await end(
      () => scheduler.signal('SIGTERM'),
      () => scheduler.program.ended(),
    );
    await letPass(1_000);
    scheduler.launch();
    await scheduler.ready();
    await commandsRun(context.recorder, 'worker-1', 1);
    const worker = cluster.worker('worker-1');
    context.recorder.fault({ what: 'SIGTERM', target: 'worker-1' });
    const workerMs = await end(
      () => worker.signal('SIGTERM'),
      () => worker.program.ended(),
    );
    await letPass(1_000);
    await stopLoad();
    const { losses, text } = await context.conclude();

    const codes = [scheduler.allExits[0], worker.allExits[0]].map((exit) => exit?.code);
    requireThat(
      codes.every((code) => code === 0),
      `exit codes ${codes.join(', ')}: expected 0`,
    );
    requireThat(losses === 0, `${losses} attempts were counted as lost`);
    return `${text}; scheduler ended in ${span([schedulerMs])}, worker (drainTimeout 2 s) in ${span([workerMs])}`;
  },
};

/** A second SIGTERM is only that when it does not come in the same moment: one Ctrl-C may arrive twice. */
const IMPATIENT_AFTER_MS = { least: 600, most: 1_500 };
const ENDED_AT_ONCE_MS = 2_000;
const DRAINS_FOR_MS = 8_000;
const WORKERS_SLOTS = 8;
const STARTED_WITHIN_MS = 20_000;

/** Whoever stops them has no patience: once more, or with SIGKILL, while they still drain. */
const impatiently: Scenario = {
  id: 'P11',
  title: 'SIGTERM and then, while it drains under load, SIGTERM again or SIGKILL, of a scheduler and of a worker',
  promise:
    'the second SIGTERM ends it at once (2 s) with exit code 1; nothing is lost or doubled, what ran on the worker runs elsewhere within 3 s',
  quick: true,
  async run(context) {
    const { random, recorder } = context;
    const cluster = await context.cluster({
      schedulers: 2,
      workers: ['worker-1', 'worker-2', 'worker-3'],
      slots: WORKERS_SLOTS,
      schedulerArgs: [`--http-close-delay=${DRAINS_FOR_MS / 1_000}s`],
    });
    const client = context.client();
    const stopLoad = startLoad(client, random, { jobsPerSecond: 10 });
    const endedMs: number[] = [];
    for (const second of ['SIGTERM', 'SIGKILL'] as const) {
      const [scheduler, worker] = [cluster.scheduler(1), cluster.worker('worker-1')];
      for (const seat of [scheduler, worker]) {
        await startLong(client, cluster.scheduler(2).api, worker.name);
        recorder.fault({ what: 'SIGTERM', target: seat.name });
        seat.signal('SIGTERM');
        await letPass(random.between(IMPATIENT_AFTER_MS.least, IMPATIENT_AFTER_MS.most));
        requireThat(seat.isRunning, `${seat.name} did not drain: it had ended before the second signal`);
        const loses = seat === worker ? { mayLose: [seat.name], reassignedWithinMs: 3_000 } : {};
        recorder.fault({ what: `${second} while it drains`, target: seat.name, ...loses });
        const since = performance.now();
        seat.signal(second);
        const exit = await seat.program.ended();
        endedMs.push(performance.now() - since);
        const isRight = second === 'SIGTERM' ? exit.code === 1 : exit.signal === 'SIGKILL';
        requireThat(isRight, `${seat.name} ended with ${JSON.stringify(exit)} at ${second} while it drained`);
        requireThat((endedMs.at(-1) ?? 0) <= ENDED_AT_ONCE_MS, `${seat.name} needed ${span(endedMs.slice(-1))} to end`);
        seat.launch();
      }
      await scheduler.ready();
      await cluster.workerIs('worker-1', 'alive');
    }
    await stopLoad();
    const { text } = await context.conclude();
    return `${text}; ended within ${span([Math.max(...endedMs)])} of the second signal`;
  },
};

/** Until some of them run on this worker: any may take them. */
async function startLong(client: Client, api: Api, worker: string): Promise<void> {
  for (let tries = 0; tries < 5; tries += 1) {
    const jobs = await Promise.all(Array.from({ length: 6 }, () => client.submit({ ms: DRAINS_FOR_MS })));
    const hasStarted = ({ state }: JobView): boolean => state !== 'queued';
    const started = await Promise.all(
      jobs.map(({ id }) => api.jobWhen(String(id), 'started', hasStarted, STARTED_WITHIN_MS)),
    );
    if (started.some((job) => job.worker === worker)) {
      return;
    }
  }
  throw new Error(`none of 30 commands was started on ${worker}`);
}

async function end(ask: () => void, ended: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  ask();
  await ended();
  return performance.now() - since;
}

export const schedulerEnds: readonly Scenario[] = [
  killedAtRandom(QUICK_ROUNDS),
  killedAtRandom(ROUNDS),
  bothKilled,
  bothGoneForLong,
  terminated,
  impatiently,
  bothKilled50Times,
];
