import { waitUntil } from '@orchestrator/e2e';

import type { Product } from './product.js';

export interface Batch {
  id: string;
  total: number;
}

const DONE_WITHIN_MS = 300_000;
/** Rarely, since asking costs the scheduler something. When the last job ended is read from its record. */
const ASK_EVERY_MS = 100;

/** Waits for each of them and requires that all of its jobs succeeded. */
export async function batchesDone(product: Product, batches: readonly Batch[]): Promise<void> {
  for (const { id, total } of [...batches].reverse()) {
    const batch = await waitUntil(
      `batch ${id} is done`,
      async () => {
        const now = await product.api.batch(id);
        return now.done && now.sealed && now;
      },
      { withinMs: DONE_WITHIN_MS, everyMs: ASK_EVERY_MS },
    );
    if (batch.total !== total || batch.counts['succeeded'] !== total) {
      throw new Error(`batch ${id} of ${total} jobs ended as ${JSON.stringify(batch)}`);
    }
  }
}
