import { type LedgerPage, requireOnceEach } from '../ledger.js';
import type { Generator } from '../load/generator-client.js';
import { quantile } from '../statistics.js';
import type { Product } from './product.js';

export interface Starts {
  p50Ms: number;
  p99Ms: number;
}

export interface PacedStarts {
  pool: string;
  count: number;
  perSecond: number;
  /** What whoever executes them has counted. */
  ledger: () => Promise<LedgerPage>;
}

/** From before the POST to the first line of the handler, of single jobs at a steady rate; each executed once. */
export async function startLatency(
  product: Product,
  generator: Generator,
  { pool, count, perSecond, ledger }: PacedStarts,
): Promise<Starts> {
  const url = product.api.address;
  const shape = { kind: 'handler', name: 'noop', pools: [pool] } as const;
  const { sentMs } = await generator.paced({ url, from: 0, count, perSecond, shape, results: true });
  const page = await ledger();
  requireOnceEach(page, count, `latency in pool ${pool}`);
  const starts = sentMs.map((sent, index) => (page.startsMs[index] ?? NaN) - sent);
  return { p50Ms: quantile(starts, 0.5), p99Ms: quantile(starts, 0.99) };
}
