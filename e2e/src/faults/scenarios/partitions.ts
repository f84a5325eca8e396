import { letPass, waitUntil } from '../../harness/wait.js';
import type { FaultCluster, FaultClusterOptions } from '../cluster/fault-cluster.js';
import type { Direction, Flow } from '../cluster/link.js';
import { aroundFault, commandsRun, span } from '../measure.js';
import { requireThat, type Scenario } from '../scenario.js';

const CUT_OFF_MS = 30_000;
const REASSIGNED_WITHIN_MS = 20_000;
/** The lease counts from the sending of the last acknowledged heartbeat: it ends at most 12 s after the cut. */
const SILENT_AFTER_MS = 12_500;

interface Partition {
  id: string;
  title: string;
  options: FaultClusterOptions;
  needs?: Scenario['needs'];
  cut: (cluster: FaultCluster) => void;
  heal: (cluster: FaultCluster) => void;
}

/** A worker that runs four jobs is cut off for 30 s, another one is free. */
function partition({ id, title, options, needs = [], cut, heal }: Partition): Scenario {
  return {
    id,
    title: `${title}, for 30 s`,
    promise:
      'its commands do nothing from the end of the lease on; the jobs run elsewhere later than that, within 20 s; afterwards it is back',
    quick: false,
    needs,
    async run(context) {
      const { recorder } = context;
      const cluster = await context.cluster({ schedulers: 2, workers: ['worker-1'], ...options });
      const client = context.client();
      await Promise.all(Array.from({ length: 4 }, () => client.submit({ ms: 16_000 })));
      await commandsRun(recorder, 'worker-1', 4);
      await cluster.startWorker('worker-2');
      const fault = recorder.fault({
        what: title,
        target: 'worker-1',
        mayLose: ['worker-1'],
        reassignedWithinMs: REASSIGNED_WITHIN_MS,
      });
      cut(cluster);
      await letPass(CUT_OFF_MS);
      heal(cluster);
      recorder.note({ type: 'healed' });
      const healed = performance.now();
      await waitUntil(
        'worker-1 is alive and well',
        async () =>
          (await cluster.api.workers()).some(
            ({ id: who, state, health }) => who === 'worker-1' && state === 'alive' && health === 'ok',
          ),
        { withinMs: 30_000 },
      );
      const backMs = performance.now() - healed;
      const { history, losses, text } = await context.conclude();

      const { lastLineMs, restartMs } = aroundFault(history, fault);
      requireThat(losses === 4, `${losses} attempts were lost: expected the 4 that ran`);
      requireThat(lastLineMs <= SILENT_AFTER_MS, `a command wrote ${lastLineMs} ms after the cut: its lease was over`);
      return `${text}; last line ${lastLineMs} ms after the cut; again after ${span(restartMs)}; back ${span([backMs])} after healing`;
    },
  };
}

const set =
  (flow: Flow, directions?: readonly Direction[]) =>
  (cluster: FaultCluster): void =>
    cluster.worker('worker-1').links.forEach((link) => link.set(flow, directions));

const healLinks = (cluster: FaultCluster): void => cluster.worker('worker-1').links.forEach((link) => link.heal());

export const partitions: readonly Scenario[] = [
  partition({
    id: 'N1',
    title: 'every packet between a worker and its schedulers dropped',
    options: { network: true },
    needs: ['network namespaces'],
    cut: ({ network }) => network.drop('worker-1', 'both'),
    heal: ({ network }) => network.heal('worker-1'),
  }),
  partition({
    id: 'N2',
    title: 'what a worker says does not arrive, it hears everything',
    options: { links: true },
    cut: set({ mode: 'drop' }, ['up']),
    heal: healLinks,
  }),
  partition({
    id: 'N3',
    title: 'a worker hears nothing, what it says arrives',
    options: { links: true },
    cut: set({ mode: 'drop' }, ['down']),
    heal: healLinks,
  }),
  partition({
    id: 'N5',
    title: 'half-open connections: accepted, open, and nothing passes',
    options: { links: true },
    cut: set({ mode: 'hold' }),
    heal: healLinks,
  }),
];
