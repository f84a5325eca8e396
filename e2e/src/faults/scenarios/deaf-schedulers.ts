import { letPass } from '../../harness/wait.js';
import { memoryOf } from '../../harness/processes.js';
import { startLoad } from '../load.js';
import { requireThat, type Scenario, type ScenarioContext } from '../scenario.js';

const ROUNDS = 20;
const DEAF_MS = 7_000;
const HEARING_MS = 1_500;
const MAX_WORKER_MIB = 250;
const WORKERS = ['worker-1', 'worker-2', 'worker-3', 'worker-4', 'worker-5'];

/** Each round breaks the streams of all workers of one scheduler at the moment at which they have the most to say. */
export const deafSchedulers: readonly Scenario[] = [
  {
    id: 'N2-again',
    title: `what workers say to one scheduler, then to the other one, does not arrive, ${ROUNDS} times`,
    promise:
      'they move to the other one each time: no worker is taken for dead, none is stuck or grows, nothing runs twice',
    quick: false,
    async run(context: ScenarioContext): Promise<string> {
      const cluster = await context.cluster({ schedulers: 2, workers: WORKERS, links: true });
      const stopLoad = startLoad(context.client(), context.random, { jobsPerSecond: 15 });
      let largestMib = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const links = WORKERS.flatMap((id) => cluster.worker(id).links[round % 2] ?? []);
        context.recorder.fault({ what: 'up dropped', target: `all workers->scheduler-${(round % 2) + 1}` });
        links.forEach((link) => link.set({ mode: 'drop' }, ['up']));
        await letPass(DEAF_MS);
        links.forEach((link) => link.heal());
        await letPass(HEARING_MS);
        largestMib = Math.max(largestMib, ...WORKERS.map((id) => memoryOf(cluster.worker(id).program.pid)));
        requireThat(largestMib < MAX_WORKER_MIB, `a worker has ${largestMib.toFixed(0)} MiB in round ${round + 1}`);
      }
      await stopLoad();
      const { text } = await context.conclude();
      return `${text}; a worker had at most ${largestMib.toFixed(0)} MiB`;
    },
  },
];
