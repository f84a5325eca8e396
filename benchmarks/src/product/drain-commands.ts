import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { memoryOf } from '@orchestrator/e2e';

import { MARK, TRUE } from '../commands.js';
import type { Figures, Run } from '../workload.js';
import { batchesDone } from './batches.js';
import { checkProduct, lastEndMs } from './check-product.js';
import type { ProductOptions } from './product.js';
import { withProduct } from './with-product.js';

const IN_ONE_REQUEST = 1_000;
const REQUESTS_IN_FLIGHT = 2;

export interface CommandCounts {
  count: number;
  /** Before, of commands that leave a mark each and fail where there is one. */
  marked: number;
}

/** `true` as jobs, from the first request with them to the record of the last result. */
export async function drainCommands(
  run: Run,
  options: ProductOptions,
  { count, marked }: CommandCounts,
): Promise<Figures> {
  const marks = join(run.folder, 'marks');
  mkdirSync(marks);
  return withProduct(run, options, async (product, generator) => {
    const load = { url: product.api.address, from: 0, size: IN_ONE_REQUEST, inFlight: REQUESTS_IN_FLIGHT };
    const shape = { kind: 'argv', argv: MARK, marks } as const;
    await batchesDone(product, (await generator.bulk({ ...load, count: marked, shape })).batches);
    requireMarks(marks, marked);

    const [before, redisBefore] = [product.cpuUs(), await run.redis.cpuUs()];
    const sent = await generator.bulk({ ...load, count, shape: { kind: 'argv', argv: TRUE } });
    await batchesDone(product, sent.batches);
    const [after, redisAfter] = [product.cpuUs(), await run.redis.cpuUs()];

    const memoryMib = product.workerPids.reduce((sum, pid) => sum + memoryOf(pid), 0);
    const records = await checkProduct(product, run, marked + count);
    return {
      perSecond: (count / (lastEndMs(records) - sent.startWallMs)) * 1_000,
      schedulerUs: (after.schedulers - before.schedulers) / count,
      workerUs: (after.workers - before.workers) / count,
      redisUs: (redisAfter - redisBefore) / count,
      generatorUs: sent.cpuUs / count,
      workerMib: memoryMib,
    };
  });
}

/** As many marks as commands: none is missing, and a second run of one would have failed. */
export function requireMarks(folder: string, count: number): void {
  const found = readdirSync(folder).length;
  if (found !== count) {
    throw new Error(`${count} commands left ${found} marks`);
  }
}
