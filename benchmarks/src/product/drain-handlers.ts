import { setTimeout as pause } from 'node:timers/promises';

import { openJobs, waitUntil } from '@orchestrator/e2e';

import { requireOnceEach } from '../ledger.js';
import type { Generator } from '../load/generator-client.js';
import type { JobShape } from '../load/loads.js';
import type { Figures, Run } from '../workload.js';
import { batchesDone } from './batches.js';
import { checkProduct, lastEndMs } from './check-product.js';
import { closeGates, openGates } from './gates.js';
import type { Product, ProductOptions } from './product.js';
import { withProduct } from './with-product.js';

const IN_ONE_REQUEST = 1_000;
const REQUESTS_IN_FLIGHT = 4;
/** What the filling has set off (collection of garbage, writes of Redis) is no part of the drain. */
const SETTLED_AFTER_MS = 300;
/** More are not left for the product to remove while it is measured: those before are kept for so long, and waited for. */
const ALL_KEPT = 50_000;
const KEPT_S = 5;
const GONE_WITHIN_MS = 60_000;
const FINAL_WITHIN_MS = 300_000;
/** Among so many of the newest jobs is the one that ended last. */
const NEWEST = 5_000;

export interface DrainOptions {
  /** Jobs of each drain. */
  count: number;
  /** How many drains come before the measured one. */
  before: number;
}

/** On programs of its own. */
export function drainHandlers(run: Run, product: ProductOptions, drain: DrainOptions): Promise<Figures> {
  return withProduct(run, product, (started, generator) => drainHandlersOn(run, started, generator, drain));
}

/**
 * Jobs of a handler that does nothing: filled in by bulk REST while all slots are held by gates, then drained. The clock
 * runs from the opening of the gates to the record of the last result, by way of scheduler, gRPC, worker and back. Programs
 * that have just started compile their code: `firstPerSecond` is the rate of the first drain, all else of the last.
 */
export async function drainHandlersOn(
  run: Run,
  product: Product,
  generator: Generator,
  { count, before }: DrainOptions,
): Promise<Figures> {
  const retainS = (before + 1) * count > ALL_KEPT ? KEPT_S : undefined;
  let firstPerSecond: number | undefined;
  let kept = 0;
  for (let drain = 1; drain <= before; drain += 1) {
    const { startMs, gates } = await fillAndDrain(run, product, generator, count, retainS);
    firstPerSecond ??= (count / (lastEndMs(await product.api.jobs(NEWEST)) - startMs)) * 1_000;
    kept += gates + count;
  }
  if (retainS !== undefined) {
    await waitUntil('the jobs before are gone', async () => (await product.api.jobs(1)).length === 0, {
      withinMs: GONE_WITHIN_MS,
      everyMs: 100,
    });
    kept = 0;
  }

  const { startMs, gates, figures } = await fillAndDrain(run, product, generator, count);
  const drainMs = lastEndMs(await checkProduct(product, run, kept + gates + count)) - startMs;
  const drainPerSecond = (count / drainMs) * 1_000;
  return {
    drainPerSecond,
    firstPerSecond: firstPerSecond ?? drainPerSecond,
    fillAndDrainPerSecond: (count / ((count / figures.fillPerSecond) * 1_000 + drainMs)) * 1_000,
    ...figures,
  };
}

/** Without asking for batches: those whose jobs are removed meanwhile are gone, too. */
async function allFinal({ pools }: Product, { redis }: Run): Promise<void> {
  const open = async (): Promise<number> => {
    const counts = await Promise.all(pools.map((pool) => openJobs(redis.client, pool)));
    return counts.reduce((sum, { queued, scheduled, running }) => sum + queued + scheduled + running, 0);
  };
  await waitUntil('all jobs are final', async () => (await open()) === 0, { withinMs: FINAL_WITHIN_MS, everyMs: 100 });
}

interface Drained {
  startMs: number;
  /** How many. */
  gates: number;
  figures: Record<
    'fillPerSecond' | 'schedulerUs' | 'schedulerFillUs' | 'workerUs' | 'redisUs' | 'generatorFillUs',
    number
  >;
}

async function fillAndDrain(
  run: Run,
  product: Product,
  generator: Generator,
  count: number,
  retainS?: number,
): Promise<Drained> {
  const kept = retainS !== undefined && { retainS };
  const pools = product.pools.length > 1 && { pools: product.pools };
  const shape: JobShape = { kind: 'handler', name: 'noop', ...pools, ...kept };
  await Promise.all(product.ears.map((ear) => ear.reset()));
  const gates = await closeGates(product, generator, retainS);
  const before = product.cpuUs();
  const url = product.api.address;
  const filled = await generator.bulk({
    url,
    from: 0,
    count,
    size: IN_ONE_REQUEST,
    inFlight: REQUESTS_IN_FLIGHT,
    shape,
  });
  await pause(SETTLED_AFTER_MS);

  const [full, redisFull] = [product.cpuUs(), await run.redis.cpuUs()];
  const startMs = Date.now();
  await openGates(product);
  await (retainS === undefined ? batchesDone(product, filled.batches) : allFinal(product, run));
  const [drained, redisDrained] = [product.cpuUs(), await run.redis.cpuUs()];
  if (retainS === undefined) {
    await batchesDone(product, [gates]);
  }
  requireOnceEach(await product.ledger(), count, 'handlers');
  return {
    startMs,
    gates: gates.total,
    figures: {
      fillPerSecond: (count / filled.ms) * 1_000,
      schedulerUs: (drained.schedulers - full.schedulers) / count,
      schedulerFillUs: (full.schedulers - before.schedulers) / count,
      workerUs: (drained.workers - full.workers) / count,
      redisUs: (redisDrained - redisFull) / count,
      generatorFillUs: filled.cpuUs / count,
    },
  };
}
