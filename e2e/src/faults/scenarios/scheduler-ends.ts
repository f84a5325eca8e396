import { letPass, waitUntil } from '../../harness/wait.js';
import { startLoad } from '../load.js';
import { commandsRun, span } from '../measure.js';
import { requireThat, type Scenario, type ScenarioContext } from '../scenario.js';

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
  terminated,
  bothKilled50Times,
];
