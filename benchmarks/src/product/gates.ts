import { waitUntil } from '@orchestrator/e2e';

import type { Generator } from '../load/generator-client.js';
import type { Batch } from './batches.js';
import type { Product } from './product.js';

const CLOSED_WITHIN_MS = 30_000;

/** Fills every slot with a job that waits, so that a queue can be filled while warm workers stand ready. */
export async function closeGates(product: Product, generator: Generator, retainS?: number): Promise<Batch> {
  const batch = await submitGates(product, generator, retainS);
  await waitUntil('all gates are closed', async () => (await gates(product)) === batch.total, {
    withinMs: CLOSED_WITHIN_MS,
  });
  return batch;
}

/** One for each slot; they close when it is their turn. */
export async function submitGates(product: Product, generator: Generator, retainS?: number): Promise<Batch> {
  const slots = sum((await product.workers()).map((worker) => worker.slots));
  const { batches } = await generator.bulk({
    url: product.api.address,
    from: 0,
    count: slots,
    size: slots,
    inFlight: 1,
    shape: { kind: 'handler', name: 'gate', pools: product.pools, ...(retainS !== undefined && { retainS }) },
  });
  const [batch] = batches;
  if (batch === undefined) {
    throw new Error('the gates made no batch');
  }
  return batch;
}

export async function openGates(product: Product): Promise<void> {
  await Promise.all(product.ears.map((ear) => ear.open()));
}

async function gates(product: Product): Promise<number> {
  return sum(await Promise.all(product.ears.map((ear) => ear.gates())));
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, each) => total + each, 0);
}
