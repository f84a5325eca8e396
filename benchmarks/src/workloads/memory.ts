import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { executorOf, leftovers, waitUntil } from '@orchestrator/e2e';

import { requireOnceEach } from '../ledger.js';
import type { SteadyLoaded } from '../load/loads.js';
import { type Growth, growthOf } from '../memory/growth.js';
import { MemorySampler } from '../memory/sampler.js';
import { requireMarks } from '../product/drain-commands.js';
import type { Product } from '../product/product.js';
import { withProduct } from '../product/with-product.js';
import type { Comparison, Figures, Participant, Run, Workload } from '../workload.js';

const SINGLES = 150;
const COMMANDS = 50;
const BATCH = 100;
const KEPT = 5_000;
const SAMPLE_MS = 5_000;
const FEWEST_SAMPLES = 20;
const QUIET_WITHIN_MS = 30_000;
/**
 * Of its size, over the second half. At this rate and in five minutes it is what some sixty bytes kept of each job make:
 * the smallest thing that could be forgotten, and more than a heap's ups and downs leave in the slope.
 */
const GROWTH = 0.05;
const PROCESSES = ['scheduler', 'worker', 'executor'] as const;

const ours: Participant = {
  id: 'ours',
  title: `ours: ${SINGLES} single handlers, ${COMMANDS} single commands, a batch of ${BATCH} handlers a second; ${KEPT} finished kept`,
  run: (run) =>
    withProduct(
      run,
      { workers: 1, schedulerArgs: [`--retention-max-finished=${KEPT}`] },
      async (product, generator) => {
        const marks = join(run.folder, 'marks');
        mkdirSync(marks);
        const seconds = run.minutes * 60;
        await Promise.all(product.ears.map((ear) => ear.reset()));
        const everyMs = Math.min(SAMPLE_MS, (seconds * 1_000) / FEWEST_SAMPLES);
        const sampler = new MemorySampler(pidsOf(product), run.redis, everyMs);
        const before = product.cpuUs();
        const load = { url: product.api.address, seconds, singles: SINGLES, commands: COMMANDS, batch: BATCH, marks };
        const sent = await generator.steady(load).finally(() => sampler.stop());
        const after = product.cpuUs();
        await requireAll(run, product, sent);
        requireMarks(marks, sent.commands);
        const jobs = sent.handlers + sent.commands;
        const figures = [...sampler.stop()].flatMap(([name, samples]) =>
          Object.entries(toFigures(name, growthOf(samples))),
        );
        return {
          jobsPerSecond: (jobs / sent.ms) * 1_000,
          ...Object.fromEntries(figures),
          schedulerUs: (after.schedulers - before.schedulers) / jobs,
        };
      },
    ),
};

function pidsOf(product: Product): Record<(typeof PROCESSES)[number], number> {
  const [scheduler = 0] = product.schedulerPids;
  const [worker = 0] = product.workerPids;
  return { scheduler, worker, executor: executorOf(worker)?.pid ?? 0 };
}

/** Most records are gone by retention: what counts is what was executed, and what Redis accepted. */
async function requireAll({ redis }: Run, product: Product, { handlers, commands }: SteadyLoaded): Promise<void> {
  await waitUntil('nothing is left in Redis', async () => (await leftovers(redis.client, 1)).length === 0, {
    withinMs: QUIET_WITHIN_MS,
  });
  requireOnceEach(await product.ledger(), handlers, 'steady load');
  const metrics = (await product.api.request('GET', '/metrics')).text;
  const settled = Number(/^orchestrator_jobs_settled_total (\d+)$/m.exec(metrics)?.[1]);
  const failed = await redis.client.zcard('orc:p:{default}:failed');
  if (settled !== handlers + commands || failed > 0) {
    throw new Error(`of ${handlers + commands} jobs ${settled} were recorded, ${failed} of them as failed`);
  }
}

function toFigures(name: string, growth: Growth): Figures {
  return {
    [`${name}FirstMib`]: growth.firstMib,
    [`${name}LastMib`]: growth.lastMib,
    [`${name}MibPerMinute`]: growth.mibPerMinute,
    [`${name}GrowthShare`]: growth.share,
    ...(growth.mostFiles > 0 && { [`${name}Files`]: growth.mostFiles }),
  };
}

export const memory: Workload = {
  id: 'memory',
  title: `${SINGLES + COMMANDS + BATCH} jobs a second for minutes (--minutes)`,
  aliases: ['scale'],
  quick: false,
  maxRounds: 1,
  participants: [ours],
  comparisons: [...PROCESSES, 'redis'].map((name): Comparison => ({
    goal: 'scale',
    title: `memory of ${name === 'redis' ? 'Redis' : `the ${name}`}: growth over the second half, of its size`,
    of: { participant: 'ours', figure: `${name}GrowthShare` },
    better: 'less',
    must: GROWTH,
  })),
};
