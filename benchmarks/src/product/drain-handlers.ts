import { setTimeout as pause } from 'node:timers/promises';

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
const WARM_UP_SHARE = 0.2;
/** What the filling has set off (collection of garbage, writes of Redis) is no part of the drain. */
const SETTLED_AFTER_MS = 300;

/** On programs of its own. */
export function drainHandlers(run: Run, options: ProductOptions, count: number): Promise<Figures> {
  return withProduct(run, options, (product, generator) => drainHandlersOn(run, product, generator, count));
}

/**
 * Jobs of a handler that does nothing: filled in by bulk REST while all slots are held by gates, then drained. The clock
 * runs from the opening of the gates to the record of the last result, by way of scheduler, gRPC, worker and back.
 */
export async function drainHandlersOn(
  run: Run,
  product: Product,
  generator: Generator,
  count: number,
): Promise<Figures> {
  const shape: JobShape = { kind: 'handler', name: 'noop', ...(product.pools.length > 1 && { pools: product.pools }) };
  const load = { url: product.api.address, from: 0, size: IN_ONE_REQUEST, inFlight: REQUESTS_IN_FLIGHT, shape };
  const warmUp = Math.ceil(count * WARM_UP_SHARE);
  await batchesDone(product, (await generator.bulk({ ...load, count: warmUp })).batches);
  requireOnceEach(await product.ledger(), warmUp, 'handlers, to warm up');
  await Promise.all(product.ears.map((ear) => ear.reset()));

  const gates = await closeGates(product, generator);
  const before = product.cpuUs();
  const filled = await generator.bulk({ ...load, count });
  await pause(SETTLED_AFTER_MS);

  const [full, redisFull] = [product.cpuUs(), await run.redis.cpuUs()];
  const startMs = Date.now();
  await openGates(product);
  await batchesDone(product, filled.batches);
  const [drained, redisDrained] = [product.cpuUs(), await run.redis.cpuUs()];

  await batchesDone(product, [gates]);
  const records = await checkProduct(product, run, warmUp + gates.total + count);
  requireOnceEach(await product.ledger(), count, 'handlers');
  const drainMs = lastEndMs(records) - startMs;
  return {
    drainPerSecond: (count / drainMs) * 1_000,
    fillPerSecond: (count / filled.ms) * 1_000,
    fillAndDrainPerSecond: (count / (filled.ms + drainMs)) * 1_000,
    schedulerUs: (drained.schedulers - full.schedulers) / count,
    schedulerFillUs: (full.schedulers - before.schedulers) / count,
    workerUs: (drained.workers - full.workers) / count,
    redisUs: (redisDrained - redisFull) / count,
    generatorFillUs: filled.cpuUs / count,
  };
}
