import { letPass, waitUntil } from '../../harness/wait.js';
import { BalancedCallers } from '../balanced-callers.js';
import type { FaultCluster } from '../cluster/fault-cluster.js';
import type { Seat } from '../cluster/seat.js';
import { LoadBalancer } from '../load-balancer.js';
import { span } from '../measure.js';
import { requireThat, type Scenario, type ScenarioContext } from '../scenario.js';

const JOBS_PER_SECOND = 15;
const BETWEEN_MS = 500;
const EVENLY_WITHIN_MS = 45_000;

interface Rolling {
  id: string;
  closeDelay: string;
  promise: string;
  quick: boolean;
}

function rollingRestart({ id, closeDelay, promise, quick }: Rolling): Scenario {
  return {
    id,
    title: `two schedulers (http.closeDelay ${closeDelay}) and three workers restarted in turn by SIGTERM, under load through a load balancer`,
    promise,
    quick,
    async run(context) {
      const cluster = await context.cluster({
        schedulers: 2,
        workers: ['worker-1', 'worker-2', 'worker-3'],
        schedulerArgs: [`--http-close-delay=${closeDelay}`],
      });
      const { random, recorder } = context;
      const balancer = new LoadBalancer(cluster.schedulers.map(({ api }) => api));
      const callers = new BalancedCallers(balancer, recorder);
      await waitUntil('both are ready', () => cluster.schedulers.every(({ api }) => balancer.isReady(api)), {
        withinMs: 5_000,
      });
      callers.start(JOBS_PER_SECOND, () => ({
        ms: random.between(1, 10) > 1 ? random.between(10, 200) : random.between(500, 1_500),
      }));
      const endsMs: number[] = [];
      try {
        await letPass(1_000);
        for (const seat of cluster.schedulers) {
          endsMs.push(await restart(context, seat));
          await seat.ready();
          await waitUntil(`${seat.name} gets requests`, () => balancer.isReady(seat.api), { withinMs: 5_000 });
          await letPass(BETWEEN_MS);
        }
        for (const [name, seat] of cluster.workers) {
          endsMs.push(await restart(context, seat));
          await cluster.workerIs(name, 'alive');
          await letPass(BETWEEN_MS);
        }
      } finally {
        await callers.stop();
        await balancer.stop();
      }
      const evenlyMs = await spreadEvenly(cluster);
      const { jobs, starts, losses, text } = await context.conclude();

      const { answers, otherAnswers, refused, closed } = callers.experience;
      const codes = [...cluster.schedulers, ...cluster.workers.values()].map(({ allExits }) => allExits[0]?.code);
      requireThat(
        codes.every((code) => code === 0),
        `exit codes ${codes.join(', ')}: expected 0`,
      );
      requireThat(losses === 0 && starts === jobs, `${jobs} jobs, ${starts} starts, ${losses} lost: expected one each`);
      requireThat(otherAnswers.length === 0, `expected 2xx only: ${otherAnswers.slice(0, 5).join('\n')}`);
      requireThat(closeDelay === '0' || refused === 0, `${refused} connections were refused in spite of the delay`);
      const errors = `${refused} refused, ${closed} closed under a request, all repeated`;
      return `${text}; ${answers} answers, all 2xx; ${errors}; ended in ${span(endsMs)}; workers evenly spread ${span([evenlyMs])} later`;
    },
  };
}

async function restart({ recorder }: ScenarioContext, seat: Seat): Promise<number> {
  const since = performance.now();
  recorder.fault({ what: 'SIGTERM', target: seat.name });
  seat.signal('SIGTERM');
  await seat.program.ended(45_000);
  const tookMs = performance.now() - since;
  seat.launch();
  return tookMs;
}

async function spreadEvenly(cluster: FaultCluster): Promise<number> {
  const since = performance.now();
  await waitUntil(
    'each scheduler serves a worker',
    async () => {
      const workers = await cluster.api.workers();
      return new Set(workers.filter(({ state }) => state === 'alive').map((each) => each.connectedTo)).size === 2;
    },
    { withinMs: EVENLY_WITHIN_MS, everyMs: 500 },
  );
  return performance.now() - since;
}

export const rollingRestarts: readonly Scenario[] = [
  rollingRestart({
    id: 'ROLL',
    closeDelay: '1s',
    promise: 'every request is answered 2xx, no attempt is lost, every job runs once, the workers spread evenly again',
    quick: true,
  }),
  rollingRestart({
    id: 'ROLL-0',
    closeDelay: '0',
    promise:
      'connections are refused until the load balancer has noticed; what is answered is 2xx, no attempt is lost, every job runs once',
    quick: false,
  }),
];
