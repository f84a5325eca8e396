import { letPass } from '../../harness/wait.js';
import type { FaultCluster } from '../cluster/fault-cluster.js';
import { superviseWorkers } from '../cluster/supervisor.js';
import type { WorkerSeat } from '../cluster/worker-seat.js';
import { startLoad } from '../load.js';
import type { Scenario, ScenarioContext } from '../scenario.js';
import type { SeededRandom } from '../seeded-random.js';
import { UsageWatch } from '../usage.js';

const FAULT_EVERY_MS = 10_000;
const WORKERS = ['worker-1', 'worker-2', 'worker-3'];

interface SoakFault {
  what: string;
  inject(cluster: FaultCluster, context: ScenarioContext): Promise<void>;
}

/** scheduler-1 and worker-1 are stopped and cut off, and never killed: their memory is what is looked at. */
const mortalWorker = (cluster: FaultCluster, { random }: ScenarioContext): WorkerSeat =>
  cluster.worker(random.pick(['worker-2', 'worker-3']));
const anyWorker = (cluster: FaultCluster, { random }: ScenarioContext): WorkerSeat =>
  cluster.worker(random.pick(WORKERS));

const faults: readonly SoakFault[] = [
  {
    what: 'SIGKILL of a worker',
    async inject(cluster, context) {
      const worker = mortalWorker(cluster, context);
      context.recorder.fault({ what: 'SIGKILL', target: worker.name, mayLose: [worker.name] });
      await worker.kill();
    },
  },
  {
    what: 'SIGKILL of an executor',
    async inject(cluster, context) {
      const worker = mortalWorker(cluster, context);
      context.recorder.fault({ what: 'SIGKILL of its executor', target: worker.name, mayLose: [worker.name] });
      process.kill(worker.executorPid, 'SIGKILL');
    },
  },
  {
    what: 'SIGTERM of a worker',
    async inject(cluster, context) {
      const worker = mortalWorker(cluster, context);
      context.recorder.fault({ what: 'SIGTERM', target: worker.name });
      worker.signal('SIGTERM');
    },
  },
  {
    what: 'SIGSTOP of a worker for 6 s',
    async inject(cluster, context) {
      const worker = anyWorker(cluster, context);
      context.recorder.fault({ what: 'SIGSTOP for 6 s', target: worker.name });
      worker.signal('SIGSTOP');
      await letPass(6_000);
      worker.signal('SIGCONT');
    },
  },
  {
    what: 'SIGSTOP of a worker for 18 s',
    async inject(cluster, context) {
      const worker = anyWorker(cluster, context);
      context.recorder.fault({ what: 'SIGSTOP for 18 s', target: worker.name, mayLose: [worker.name] });
      worker.signal('SIGSTOP');
      await letPass(18_000);
      worker.signal('SIGCONT');
    },
  },
  {
    what: 'a host suspended for 18 s',
    async inject(cluster, context) {
      const worker = mortalWorker(cluster, context);
      context.recorder.fault({ what: 'suspension', target: worker.name, mayLose: [worker.name] });
      worker.freezeHost();
      await letPass(18_000);
      context.recorder.fault({ what: 'resumption', target: worker.name, mayOverlapMs: 1_000 });
      worker.thawHost();
    },
  },
  {
    what: 'SIGKILL of a scheduler',
    async inject(cluster, context) {
      context.recorder.fault({ what: 'SIGKILL', target: 'scheduler-2' });
      await cluster.scheduler(2).restart();
    },
  },
  {
    what: 'SIGSTOP of the leader for 12 s',
    async inject(cluster, context) {
      const leader = await cluster.leader();
      context.recorder.fault({ what: 'SIGSTOP for 12 s', target: leader.name });
      leader.signal('SIGSTOP');
      await letPass(12_000);
      leader.signal('SIGCONT');
    },
  },
  {
    what: 'SIGKILL and restart of Redis',
    async inject(cluster, context) {
      context.recorder.fault({ what: 'SIGKILL', target: 'redis' });
      await cluster.redis.signal('SIGKILL');
      await letPass(context.random.between(0, 3_000));
      await cluster.redis.restart();
    },
  },
  {
    what: 'SIGSTOP of Redis for 4 s',
    async inject(cluster, context) {
      context.recorder.fault({ what: 'SIGSTOP for 4 s', target: 'redis' });
      await cluster.redis.signal('SIGSTOP');
      await letPass(4_000);
      await cluster.redis.signal('SIGCONT');
    },
  },
  {
    what: 'a worker cut off from one scheduler in one direction for 8 s',
    async inject(cluster, context) {
      const worker = anyWorker(cluster, context);
      const link = context.random.pick(worker.links);
      const direction = context.random.pick(['up', 'down'] as const);
      context.recorder.fault({ what: `${direction} dropped for 8 s`, target: link.name });
      link.set({ mode: 'drop' }, [direction]);
      await letPass(8_000);
      link.heal();
    },
  },
  {
    what: 'a scheduler cut off from Redis for 6 s',
    async inject(cluster, context) {
      const { redis } = context.random.pick(cluster.schedulers);
      context.recorder.fault({ what: 'dropped for 6 s', target: redis.name });
      redis.set({ mode: 'drop' });
      await letPass(6_000);
      redis.heal();
    },
  },
  {
    what: 'all connections reset',
    async inject(cluster, context) {
      context.recorder.fault({ what: 'RST', target: 'all links' });
      cluster.schedulers.forEach(({ redis }) => redis.cut());
      [...cluster.workers.values()].forEach(({ links }) => links.forEach((link) => link.cut()));
    },
  },
  {
    what: '300 ms delay on every hop of a worker for 8 s',
    async inject(cluster, context) {
      const worker = anyWorker(cluster, context);
      context.recorder.fault({ what: '300 ms delay for 8 s', target: worker.name });
      worker.links.forEach((link) => link.set({ mode: 'delay', ms: 300 }));
      await letPass(8_000);
      worker.links.forEach((link) => link.heal());
    },
  },
];

/** Each of them once, in a random order; then again, in another one. */
class Deck<T> {
  #left: T[] = [];

  constructor(
    private readonly all: readonly T[],
    private readonly random: SeededRandom,
  ) {}

  draw(): T {
    if (this.#left.length === 0) {
      this.#left = [...this.all];
    }
    const drawn = this.random.pick(this.#left);
    this.#left = this.#left.filter((each) => each !== drawn);
    return drawn;
  }
}

export const soak: Scenario = {
  id: 'SOAK',
  title: 'load with a random fault every 10 s (--soak says how long)',
  promise: 'nothing lost, nothing doubled; memory flat; no file, key or process left behind',
  quick: false,
  needs: ['a local redis-server'],
  async run(context) {
    const { recorder, random, soakMs } = context;
    const cluster = await context.cluster({
      schedulers: 2,
      workers: WORKERS,
      links: true,
      redisArgs: ['--appendfsync', 'always'],
      workerArgs: ['--drain-timeout=2s'],
    });
    const unwatched = superviseWorkers(cluster);
    const usage = new UsageWatch(
      {
        'scheduler-1': () => cluster.scheduler(1).program.pid,
        'worker-1': () => cluster.worker('worker-1').program.pid,
        'its executor': () => cluster.worker('worker-1').executorPid,
      },
      recorder,
    );
    const end = performance.now() + soakMs;
    const counts = new Map<string, number>();
    const deck = new Deck(faults, random);
    try {
      const stopLoad = startLoad(context.client(), random, { jobsPerSecond: 12 });
      while (performance.now() < end) {
        const next = performance.now() + FAULT_EVERY_MS;
        const fault = deck.draw();
        counts.set(fault.what, (counts.get(fault.what) ?? 0) + 1);
        await fault.inject(cluster, context);
        await letPass(Math.max(0, next - performance.now()));
      }
      await stopLoad();
      const { text } = await context.conclude({ withinMs: 180_000 });
      const flat = usage.conclude();
      const injected = [...counts.values()].reduce((sum, count) => sum + count, 0);
      recorder.note({ type: 'faults', counts: Object.fromEntries(counts) });
      return `${text}; ${injected} faults of ${counts.size} kinds in ${Math.round(soakMs / 60_000)} min; ${flat}`;
    } finally {
      usage.stop();
      await unwatched();
    }
  },
};
