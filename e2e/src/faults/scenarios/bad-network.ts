import { letPass, waitUntil } from '../../harness/wait.js';
import type { FaultCluster, FaultClusterOptions } from '../cluster/fault-cluster.js';
import type { Client } from '../client.js';
import { setClock } from '../cluster/clock.js';
import type { Link } from '../cluster/link.js';
import { startLoad } from '../load.js';
import { span } from '../measure.js';
import { requireThat, type Scenario, type ScenarioContext } from '../scenario.js';

const WORKERS = ['worker-1', 'worker-2'];
const MBIT_IN_BYTES = 125_000;
const PRINTED_BYTES = 120_000;

interface Trouble {
  id: string;
  title: string;
  promise?: string;
  quick?: boolean;
  options: FaultClusterOptions;
  needs?: Scenario['needs'];
  /** Makes the trouble, for as long as it lasts, and ends it. */
  trouble: (cluster: FaultCluster, context: ScenarioContext, client: Client) => Promise<void>;
}

/** Load on two workers while the network is bad: nobody is cut off for long, so nothing may be lost. */
function underLoad({ id, title, promise, quick = false, options, needs = [], trouble }: Trouble): Scenario {
  return {
    id,
    title,
    promise: promise ?? 'no worker is taken for dead, nothing is lost, nothing runs twice',
    quick,
    needs,
    async run(context) {
      const cluster = await context.cluster({ schedulers: 2, workers: WORKERS, ...options });
      const client = context.client();
      const stopLoad = startLoad(client, context.random, { jobsPerSecond: 10 });
      await letPass(2_000);
      context.recorder.fault({ what: title, target: WORKERS.join(' and ') });
      await trouble(cluster, context, client);
      const healed = performance.now();
      await letPass(2_000);
      await stopLoad();
      const { losses, text } = await context.conclude();
      requireThat(losses === 0, `${losses} attempts were counted as lost`);
      return `${text}; all final ${span([performance.now() - healed])} after the end of it`;
    },
  };
}

export const badNetwork: readonly Scenario[] = [
  underLoad({
    id: 'N4',
    title: 'all connections of all workers reset every 2 s, for 20 s',
    options: { links: true },
    async trouble(cluster) {
      for (let round = 0; round < 10; round += 1) {
        linksOf(cluster).forEach((link) => link.cut());
        await letPass(2_000);
      }
    },
  }),
  underLoad({
    id: 'N6-loss',
    title: '20 % of all packets lost in both directions, for 40 s',
    options: { network: true },
    needs: ['network namespaces'],
    async trouble({ network }) {
      WORKERS.forEach((worker) => network.drop(worker, 'both', 0.2));
      await letPass(40_000);
      WORKERS.forEach((worker) => network.heal(worker));
    },
  }),
  underLoad({
    id: 'N6-delay',
    title: '300 ms delay in each direction between workers and schedulers, for 30 s',
    options: { links: true },
    async trouble(cluster) {
      linksOf(cluster).forEach((link) => link.set({ mode: 'delay', ms: 300 }));
      await letPass(30_000);
      linksOf(cluster).forEach((link) => link.set({ mode: 'pass' }));
    },
  }),
  underLoad({
    id: 'N6-rate',
    title: '1 Mbit/s in each direction between workers and schedulers, for 30 s, and jobs that print more than that',
    options: { links: true },
    async trouble(cluster, _context, client) {
      linksOf(cluster).forEach((link) => link.set({ mode: 'rate', bytesPerSecond: MBIT_IN_BYTES }));
      const slowed = performance.now();
      // Each worker's link is busy with output most of the time; heartbeats have a stream of their own.
      while (performance.now() - slowed < 30_000) {
        await Promise.all([0, 1].map(() => client.submit({ ms: 100, prints: PRINTED_BYTES })));
        await letPass(1_500);
      }
      linksOf(cluster).forEach((link) => link.set({ mode: 'pass' }));
    },
  }),
  underLoad({
    id: 'N7',
    title: 'one of two workers reads 1 kB a second from its schedulers, for 30 s',
    options: { links: true },
    async trouble(cluster) {
      const { links } = cluster.worker('worker-1');
      links.forEach((link) => link.set({ mode: 'rate', bytesPerSecond: 1_000 }, ['down']));
      await letPass(30_000);
      // What was on its way would go on at that pace.
      links.forEach((link) => link.set({ mode: 'pass' }));
      links.forEach((link) => link.cut());
    },
  }),
  underLoad({
    id: 'N8',
    title: 'one scheduler gone for good',
    promise: 'its workers are on the other one within 10 s, nothing is lost, nothing runs twice',
    quick: true,
    options: {},
    async trouble(cluster, { recorder }) {
      recorder.fault({ what: 'SIGKILL', target: 'scheduler-2' });
      await cluster.scheduler(2).kill();
      const survivor = await cluster.scheduler(1).status();
      await waitUntil(
        'all workers are on the other one',
        async () => (await cluster.scheduler(1).api.workers()).every(({ connectedTo }) => connectedTo === survivor.id),
        { withinMs: 10_000 },
      );
    },
  }),
  underLoad({
    id: 'N9',
    title:
      'wall clocks of a worker and of a scheduler set 1 h forward, then 1 h back, then half a second forward and back each second',
    options: { clocks: true },
    async trouble(cluster) {
      const set = async (offsetMs: number, forMs: number): Promise<void> => {
        setClock(cluster.folder, 'worker-1', offsetMs);
        setClock(cluster.folder, 'scheduler-1', offsetMs);
        await letPass(forMs);
      };
      await set(3_600_000, 8_000);
      await set(-3_600_000, 8_000);
      for (let second = 0; second < 10; second += 1) {
        await set(second % 2 === 0 ? 500 : -500, 1_000);
      }
      await set(0, 4_000);
    },
  }),
];

function linksOf(cluster: FaultCluster): Link[] {
  return [...cluster.workers.values()].flatMap(({ links }) => [...links]);
}
