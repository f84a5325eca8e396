import { memoryOf, waitUntil } from '@orchestrator/e2e';

import { Fleet } from '../fleet/fleet-client.js';
import { atRest, percentOfCore, type Rest } from '../product/at-rest.js';
import { checkProduct } from '../product/check-product.js';
import type { Product } from '../product/product.js';
import { type Starts, startLatency } from '../product/start-latency.js';
import { withProduct } from '../product/with-product.js';
import { quantile } from '../statistics.js';
import type { Comparison, Figures, Participant, Run, Workload } from '../workload.js';

const WORKERS = 1_000;
const REST_S = 30;
const PER_SECOND = 100;
const JOBS = 500;
const FLEET = 'fleet';
const SEEN_WITHIN_MS = 5_000;
const POOLS = { workers: 1, pools: ['default', FLEET], poolsOf: (): string[] => ['default'] };

/** Some to warm up, then those that count, executed by the worker that is a program of its own. */
async function startsAtWorker(
  run: Run,
  product: Product,
  generator: Parameters<typeof startLatency>[1],
): Promise<Starts> {
  const asked = { pool: 'default', count: run.jobs(JOBS), perSecond: PER_SECOND, ledger: () => product.ledger() };
  await startLatency(product, generator, asked);
  await Promise.all(product.ears.map((ear) => ear.reset()));
  return startLatency(product, generator, asked);
}

const alone: Participant = {
  id: 'alone',
  title: 'ours: one scheduler, one worker, nobody else',
  run: (run) =>
    withProduct(run, POOLS, async (product, generator) => {
      const rest = await atRest(run, product, run.seconds(REST_S) / 3);
      const starts = await startsAtWorker(run, product, generator);
      await checkProduct(product, run, 2 * run.jobs(JOBS));
      return { ...restFigures(rest), startP50Ms: starts.p50Ms, startP99Ms: starts.p99Ms };
    }),
};

const thousand: Participant = {
  id: 'thousand',
  title: `ours: the same with ${WORKERS} workers more, each with its connection and a heartbeat every 3 s`,
  run: (run) =>
    withProduct(run, POOLS, (product, generator) =>
      Fleet.with(async (fleet) => {
        const [count, scheduler = 0] = [run.jobs(WORKERS), ...product.schedulerPids];
        const before = memoryOf(scheduler);
        const [address = ''] = product.grpcAddresses;
        const { welcomedMs } = await fleet.start({ address, count, pool: FLEET });
        await fleet.beats();

        const rest = await atRest(run, product, run.seconds(REST_S));
        const { acknowledgedMs, troubles } = await fleet.beats();
        const after = memoryOf(scheduler);
        requireNone(troubles);
        await allAlive(product, count + 1);

        const starts = await startsAtWorker(run, product, generator);
        const shared = { pool: FLEET, count: run.jobs(JOBS), perSecond: PER_SECOND, ledger: () => fleet.ledger() };
        await startLatency(product, generator, shared);
        await fleet.reset();
        const sharedStarts = await startLatency(product, generator, shared);
        await checkProduct(product, run, 4 * run.jobs(JOBS));
        await allAlive(product, count + 1);
        requireNone((await fleet.beats()).troubles);

        await fleet.stop();
        await allLeft(run, product);
        return {
          welcomedMs,
          ...restFigures(rest),
          schedulerBeatUs: rest.schedulerUs / acknowledgedMs.length,
          redisBeatUs: rest.redisUs / acknowledgedMs.length,
          acknowledgedP50Ms: quantile(acknowledgedMs, 0.5),
          acknowledgedP99Ms: quantile(acknowledgedMs, 0.99),
          acknowledgedMostMs: Math.max(...acknowledgedMs),
          schedulerBeforeMib: before,
          schedulerAfterMib: after,
          schedulerWorkerKib: ((after - before) * 1_024) / count,
          startP50Ms: starts.p50Ms,
          startP99Ms: starts.p99Ms,
          sharedStartP50Ms: sharedStarts.p50Ms,
          sharedStartP99Ms: sharedStarts.p99Ms,
        };
      }),
    ),
};

function restFigures({ ms, schedulerUs, redisUs }: Rest): Figures {
  return { restSchedulerPercent: percentOfCore(schedulerUs, ms), restRedisPercent: percentOfCore(redisUs, ms) };
}

function requireNone(troubles: readonly string[]): void {
  if (troubles.length > 0) {
    throw new Error(`${troubles.length} troubles of idle workers, as ${troubles.slice(0, 3).join('; ')}`);
  }
}

async function allAlive(product: Product, count: number): Promise<void> {
  const wrong = async (): Promise<string[]> => {
    const workers = await product.workers();
    const odd = workers.filter(({ state, health }) => state !== 'alive' || health !== 'ok');
    return workers.length === count
      ? odd.map(({ id, state, health }) => `${id} is ${state}, ${health}`)
      : [`${workers.length} workers`];
  };
  await waitUntil(`${count} workers are alive`, async () => (await wrong()).length === 0, {
    withinMs: SEEN_WITHIN_MS,
  }).catch(async () => {
    throw new Error(`not all ${count} workers are alive: ${(await wrong()).slice(0, 5).join('; ')}`);
  });
}

/** After their Goodbye: records of dead sessions stay for a day; no gate, no living session, no job of theirs. */
async function allLeft({ redis }: Run, product: Product): Promise<void> {
  const left = async (): Promise<string[]> => {
    const alive = (await product.workers()).filter(({ state }) => state === 'alive');
    const gates = await redis.client.hlen(`orc:p:{${FLEET}}:gates`);
    return [...alive.slice(1).map(({ id }) => `${id} is alive`), ...(gates > 0 ? [`${gates} gates`] : [])];
  };
  await waitUntil('all have left', async () => (await left()).length === 0, { withinMs: SEEN_WITHIN_MS }).catch(
    async () => {
      throw new Error(`left of workers that said Goodbye: ${(await left()).slice(0, 5).join('; ')}`);
    },
  );
}

const startRatio = (figure: string, title: string, must: number): Comparison => ({
  goal: 'scale',
  title: `submit to start, ${title}, with ${WORKERS} idle workers / without`,
  of: { participant: 'thousand', figure },
  to: { participant: 'alone', figure: 'startP50Ms' },
  better: 'less',
  must,
});

const figure = (name: string, title: string, must: number): Comparison => ({
  goal: 'scale',
  title: `${WORKERS} idle workers: ${title}`,
  of: { participant: 'thousand', figure: name },
  better: 'less',
  must,
});

export const idleWorkers: Workload = {
  id: 'idle-workers',
  title: `${WORKERS} workers that wait, on one scheduler`,
  aliases: ['scale'],
  quick: false,
  maxRounds: 3,
  participants: [alone, thousand],
  comparisons: [
    figure('restSchedulerPercent', "scheduler's CPU, % of a core", 50),
    figure('restRedisPercent', "Redis' CPU, % of a core", 20),
    figure('acknowledgedP99Ms', 'a heartbeat is acknowledged, p99, ms', 500),
    figure('schedulerWorkerKib', "scheduler's memory for each, KiB", 200),
    startRatio('startP50Ms', 'at another worker', 1.5),
    startRatio('sharedStartP50Ms', 'at any of them', 2),
  ],
};
