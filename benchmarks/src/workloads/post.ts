import { Helper, withHelper } from '../ipc/helper.js';
import { requireOnceEach } from '../ledger.js';
import { Generator } from '../load/generator-client.js';
import type { SingleLoaded } from '../load/loads.js';
import { batchesDone } from '../product/batches.js';
import { checkProduct } from '../product/check-product.js';
import type { Product } from '../product/product.js';
import { withProduct } from '../product/with-product.js';
import type { Figures, Participant, Run, Workload } from '../workload.js';

const SINGLE = 15_000;
/** Before the first measured requests, and between these and the last ones. */
const WARM_UP = 20_000;
const BULK = 25_000;
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
      const bulk = run.jobs(BULK);
      const url = product.api.address;
      const singles = await postSingles(run, generator, url, () => product.cpuUs().schedulers);
      const before = product.cpuUs();
      const batched = await generator.bulk({
        url,
        from: singles.posted,
        count: bulk,
        size: IN_ONE_REQUEST,
        inFlight: BULK_IN_FLIGHT,
        shape,
      });
      const after = product.cpuUs();
      await drainAndCheck(product, run, singles.posted + bulk);
      await batchesDone(product, batched.batches);
      return {
        ...singles.figures,
        bulkPerSecond: (bulk / batched.ms) * 1_000,
        serverBulkUs: (after.schedulers - before.schedulers) / bulk,
        generatorBulkUs: batched.cpuUs / bulk,
      };
    }),
};

/** Measured twice, as with drains: soon after its start, and when it is warm, which is what is judged. */
async function postSingles(
  run: Run,
  generator: Generator,
  url: string,
  cpuUs: () => number,
): Promise<{ figures: Figures; posted: number }> {
  const [warmUp, count] = [run.jobs(WARM_UP), run.jobs(SINGLE)];
  let posted = 0;
  const post = async (jobs: number): Promise<SingleLoaded> => {
    const loaded = await generator.single({ url, from: posted, count: jobs, inFlight: IN_FLIGHT, shape });
    posted += jobs;
    return loaded;
  };
  await post(warmUp);
  const first = await post(count);
  await post(warmUp);
  const before = cpuUs();
  const last = await post(count);
  const serverUs = (cpuUs() - before) / count;
  const figures = {
    singlePerSecond: (count / last.ms) * 1_000,
    firstPerSecond: (count / first.ms) * 1_000,
    serverUs,
    generatorUs: last.cpuUs / count,
  };
  return { figures, posted };
}

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
  const url = await server.ask<string>('listen');
  const { figures, posted } = await postSingles(run, generator, url, () => server.cpuUs());
  const served = await server.ask<number>('served');
  if (served !== posted) {
    throw new Error(`${served} of ${posted} requests were served`);
  }
  return figures;
}

const firstOf = (participant: string): { participant: string; figure: string } => ({
  participant,
  figure: 'firstPerSecond',
});

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
      goal: '',
      title: 'the same, soon after the programs have started',
      of: firstOf('ours'),
      to: firstOf('script'),
      better: 'more',
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
