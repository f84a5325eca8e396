import { Helper, withHelper } from '../ipc/helper.js';
import { requireOnceEach } from '../ledger.js';
import { Generator } from '../load/generator-client.js';
import { batchesDone } from '../product/batches.js';
import { checkProduct } from '../product/check-product.js';
import type { Product } from '../product/product.js';
import { withProduct } from '../product/with-product.js';
import type { Figures, Participant, Run, Workload } from '../workload.js';

const SINGLE = 15_000;
const WARM_UP = 20_000;
const BULK = 40_000;
const IN_FLIGHT = 64;
const IN_ONE_REQUEST = 100;
const BULK_IN_FLIGHT = 16;
const DRAINED_WITHIN_MS = 120_000;

const shape = { kind: 'handler', name: 'noop' } as const;

const ours: Participant = {
  id: 'ours',
  title: `ours: POST at ${IN_FLIGHT} in flight, then batches of ${IN_ONE_REQUEST}; no worker meanwhile`,
  run: (run) =>
    withProduct(run, { workers: 0 }, async (product, generator) => {
      const [warmUp, single, bulk] = [run.jobs(WARM_UP), run.jobs(SINGLE), run.jobs(BULK)];
      const url = product.api.address;
      await generator.single({ url, from: 0, count: warmUp, inFlight: IN_FLIGHT, shape });
      const before = product.cpuUs();
      const posted = await generator.single({ url, from: warmUp, count: single, inFlight: IN_FLIGHT, shape });
      const after = product.cpuUs();
      const batched = await generator.bulk({
        url,
        from: warmUp + single,
        count: bulk,
        size: IN_ONE_REQUEST,
        inFlight: BULK_IN_FLIGHT,
        shape,
      });
      const end = product.cpuUs();
      const all = warmUp + single + bulk;
      await drainAndCheck(product, run, all);
      await batchesDone(product, batched.batches);
      return {
        singlePerSecond: (single / posted.ms) * 1_000,
        bulkPerSecond: (bulk / batched.ms) * 1_000,
        serverUs: (after.schedulers - before.schedulers) / single,
        serverBulkUs: (end.schedulers - after.schedulers) / bulk,
        generatorUs: posted.cpuUs / single,
        generatorBulkUs: batched.cpuUs / bulk,
      };
    }),
};

/** What was accepted must be there: a worker comes and executes it, each job once. */
async function drainAndCheck(product: Product, run: Run, count: number): Promise<void> {
  await product.startWorkers(1);
  await checkProduct(product, run, count, DRAINED_WITHIN_MS);
  requireOnceEach(await product.ledger(), count, 'post');
}

function server(kind: string, title: string): Participant {
  return {
    id: kind,
    title,
    run: (run) =>
      withHelper(new Helper('peers/post-server', [kind, String(run.redis.port)]), async (process) => {
        const generator = new Generator();
        try {
          return await postTo(process, generator, run);
        } finally {
          await generator.close();
        }
      }),
  };
}

async function postTo(server: Helper, generator: Generator, run: Run): Promise<Figures> {
  const [warmUp, single] = [run.jobs(WARM_UP), run.jobs(SINGLE)];
  const url = await server.ask<string>('listen');
  await generator.single({ url, from: 0, count: warmUp, inFlight: IN_FLIGHT, shape });
  const before = server.cpuUs();
  const posted = await generator.single({ url, from: warmUp, count: single, inFlight: IN_FLIGHT, shape });
  const after = server.cpuUs();
  const served = await server.ask<number>('served');
  if (served !== warmUp + single) {
    throw new Error(`${served} of ${warmUp + single} requests were served`);
  }
  return {
    singlePerSecond: (single / posted.ms) * 1_000,
    serverUs: (after - before) / single,
    generatorUs: posted.cpuUs / single,
  };
}

const singleOf = (participant: string): { participant: string; figure: string } => ({
  participant,
  figure: 'singlePerSecond',
});

export const post: Workload = {
  id: 'post',
  title: `${SINGLE} single POSTs at ${IN_FLIGHT} in flight, and ${BULK} jobs in batches of ${IN_ONE_REQUEST}`,
  quick: true,
  participants: [
    ours,
    server('script', 'Fastify, one script for each request'),
    server('no-op', 'Fastify, nothing but a reply in the next turn'),
  ],
  comparisons: [
    {
      goal: 'G19',
      title: 'single POST / a handler that runs one script a request',
      of: singleOf('ours'),
      to: singleOf('script'),
      better: 'more',
      must: 1.3,
      star: 2,
    },
    {
      goal: 'G19',
      title: 'single POST / a no-op with deferred reply',
      of: singleOf('ours'),
      to: singleOf('no-op'),
      better: 'more',
      must: 0.55,
      star: 0.8,
    },
    {
      goal: 'G19',
      title: 'jobs a second in bulk / in single POSTs',
      of: { participant: 'ours', figure: 'bulkPerSecond' },
      to: singleOf('ours'),
      better: 'more',
      must: 4,
      star: 8,
    },
  ],
};
