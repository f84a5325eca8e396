import type { Random } from '@orchestrator/core';
import { testSeeds } from '@orchestrator/testing';

import { aJob } from '../testing/a-job.js';
import { Actor, loseTails, World } from '../testing/ownership-model.js';
import { seededRandom } from '../testing/seeded-random.js';
import { type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';

const WORKERS = 5;
const JOBS = 80;
const TAILS = 20;

describe('ownership under many sessions at once', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(() => {
    q = bench.setup();
  });
  afterAll(() => bench.stop());

  const allSucceeded = async (): Promise<boolean> => (await q.redis.zcard(`${q.base}succeeded`)) >= JOBS;

  const someActors = (seed: number, world: World): Actor[] =>
    Array.from({ length: WORKERS }, (_, i) => {
      const unhurried: Random = { ...seededRandom(seed + i + WORKERS), next: () => 0 };
      return new Actor(`actor-${i}`, q, q.another(unhurried), world, seededRandom(seed + i));
    });

  async function run(actors: Actor[], world: World, isOver: () => Promise<boolean>): Promise<void> {
    await Promise.all(
      actors.map(async (actor) => {
        while (!(await isOver())) {
          await actor.act();
          // Time that passes: enough for a safety poll of each scheduler.
          if (actors.every(({ name }) => world.looked.has(name))) {
            const { moment } = world;
            world.looked.clear();
            await q.letRecoveryAge(() => moment === world.moment && moment % 2 === 0);
          }
        }
      }),
    );
  }

  async function addJobs(): Promise<void> {
    const rule = { attempts: 10_000, maxWorkerLosses: 10_000, batchId: 'race' };
    const noWait = { type: 'fixed', delayMs: 0, factor: 1, maxDelayMs: 0, jitter: 'none' } as const;
    await q.add(...Array.from({ length: JOBS }, () => aJob({ ...rule, backoff: noWait })));
  }

  it.each(testSeeds(3))('never lets two run a job, and accepts one success of each (seed %d)', async (seed) => {
    const world = new World();
    await addJobs();

    await run(someActors(seed, world), world, allSucceeded);

    expect(world.succeeded.size).toBe(JOBS);
    expect(world.counted).toMatchObject({ adopted: 0, gone: 0, stale: 0, overtaken: 0 });
    await q.assertInvariants();
  });

  it.each(testSeeds(2))('Recovery of a pool: neither strands nor doubles what runs (seed %d)', async (seed) => {
    const world = new World();
    await addJobs();
    const isOver = async (): Promise<boolean> => world.counted.tails === TAILS && (await allSucceeded());

    const failed = new AbortController();

    const actors = someActors(seed, world);
    const afterwards = (): Promise<unknown> => Promise.all(actors.map((actor) => actor.wakeStoppedScheduler()));
    await Promise.all([
      run(actors, world, isOver).finally(() => failed.abort()),
      loseTails(q, world, seededRandom(seed), { tails: TAILS, signal: failed.signal, afterwards }),
    ]);

    expect(world.counted.adopted).toBeGreaterThan(0);
    await q.assertInvariants();
  });
});
