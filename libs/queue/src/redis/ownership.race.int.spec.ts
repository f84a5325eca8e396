import type { Random } from '@orchestrator/core';
import { testSeeds } from '@orchestrator/testing';

import { StaleEpochError } from '../errors.js';
import type { ClaimedJob } from '../store.js';
import { aJob } from '../testing/a-job.js';
import { failure, returned, success } from '../testing/an-end.js';
import { seededRandom } from '../testing/seeded-random.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';
import type { RedisQueueStore } from './redis-queue-store.js';

const WORKERS = 5;
const JOBS = 80;

/** What goes on in the world: which session runs which job, and what was accepted. */
class World {
  readonly running = new Map<string, string>();
  readonly successes = new Map<string, number>();
  /** Attempts whose end has been answered: somebody may bring in a report of them once more at any time. */
  readonly over: ClaimedJob[] = [];
  epochs = 0;
  sessions = 0;

  start(job: ClaimedJob, session: string): void {
    const other = this.running.get(job.ulid);
    if (other !== undefined) {
      throw new Error(`${session} starts ${job.ulid}, which ${other} runs`);
    }
    this.running.set(job.ulid, session);
  }
}

/**
 * A worker with its scheduler: it claims, loses answers, reconnects, reports, and dies now and then. It stops running a
 * job before it says so, as the protocol demands; so nobody may ever start what somebody runs.
 */
class Actor {
  #session = '';
  #epoch = 0;
  readonly #held = new Map<string, ClaimedJob>();

  constructor(
    readonly q: QueueSetup,
    readonly store: RedisQueueStore,
    readonly world: World,
    readonly random: ReturnType<typeof seededRandom>,
  ) {}

  async act(): Promise<void> {
    if (this.#session === '') {
      this.#session = `session-${++this.world.sessions}`;
      await this.#reconcile();
    }
    const dice = this.random.next();
    if (dice < 0.4) {
      await this.#claim();
    } else if (dice < 0.8) {
      await this.#report();
    } else if (dice < 0.9) {
      await this.#reconcile();
    } else if (dice < 0.95) {
      await this.#die();
    } else {
      await this.#bother();
    }
  }

  async #claim(): Promise<void> {
    const max = 1 + this.random.below(6);
    const { jobs, refused } = await this.store.claim(this.q.pool, [aWant(this.#session, { max, epoch: this.#epoch })]);
    expect(refused).toEqual([]);
    if (this.random.next() < 0.2) {
      await this.#reconcile(); // the answer was lost: what was claimed never arrived
      return;
    }
    for (const job of jobs) {
      this.world.start(job, this.#session);
      this.#held.set(job.ulid, job);
    }
  }

  async #reconcile(): Promise<void> {
    const old = this.#epoch;
    this.#epoch = ++this.world.epochs;
    const held = [...this.#held.values()];
    const says = {
      session: this.#session,
      worker: 'w',
      held: held.map((job) => ({ ...job, state: 'running' as const })),
    };
    const { verdicts } = await this.store.reconcile(this.q.pool, { ...says, epoch: this.#epoch, last: true });
    expect(verdicts).toEqual(held.map(() => 'held')); // a living session loses nothing that it runs

    // A scheduler that was stopped goes on with what it knew.
    const late = this.store.reconcile(this.q.pool, { ...says, epoch: old, held: [], last: true });
    await expect(late).rejects.toThrow(StaleEpochError);
    const { jobs } = await this.store.claim(this.q.pool, [aWant(this.#session, { max: 9, epoch: old })]);
    expect(jobs).toEqual([]);
  }

  async #report(): Promise<void> {
    const mine = [...this.#held.values()][this.random.below(Math.max(1, this.#held.size))];
    if (mine !== undefined) {
      this.#stop(mine);
      const dice = this.random.next();
      if (dice < 0.7) {
        const [verdict, again] = await this.store.settle(this.q.pool, [success(mine), success(mine)]);
        expect([verdict, again]).toEqual(['accepted', 'repeated']);
        this.world.successes.set(mine.ulid, (this.world.successes.get(mine.ulid) ?? 0) + 1);
      } else if (dice < 0.85) {
        expect(await this.store.settle(this.q.pool, [failure(mine)])).toEqual(['accepted']);
      } else {
        const reason = this.random.next() < 0.5 ? 'drained' : 'lease_lost';
        const verdicts = await this.store.giveBack(this.q.pool, [returned(mine, { reason, started: true })]);
        expect(verdicts).toEqual(['accepted']);
      }
      this.world.over.push(mine);
    }
  }

  /** Everything of it is dead before anybody says so; who carries that out, and how often, does not matter. */
  async #die(): Promise<void> {
    const session = this.#session;
    const held = [...this.#held.values()];
    held.forEach((job) => this.#stop(job));
    this.#session = '';
    const carryOut = async (): Promise<void> => {
      while ((await this.store.reclaim(this.q.pool, { session, losses: 2, reason: 'test' })).remaining > 0) {
        // in chunks
      }
    };
    await carryOut();
    const { jobs, refused } = await this.store.claim(this.q.pool, [aWant(session, { max: 9, epoch: this.#epoch })]);
    expect([jobs, refused]).toEqual([[], [session]]);
    await carryOut();
    this.world.over.push(...held);
  }

  /** A zombie's report, a user who cancels and retries, a leader who promotes. */
  async #bother(): Promise<void> {
    const old = this.world.over[this.random.below(Math.max(1, this.world.over.length))];
    if (old !== undefined) {
      expect((await this.store.settle(this.q.pool, [success(old)]))[0]).not.toBe('accepted');
      await this.store.cancel(this.q.pool, [old.ulid]);
    }
    await this.store.promote(this.q.pool);
    for (const state of ['cancelled', 'failed']) {
      const ulids = await this.q.redis.zrange(`${this.q.base}${state}`, '0', '99');
      if (ulids.length > 0) {
        await this.store.retry(this.q.pool, ulids);
      }
    }
  }

  #stop(job: ClaimedJob): void {
    this.#held.delete(job.ulid);
    this.world.running.delete(job.ulid);
  }
}

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

  it.each(testSeeds(3))('never lets two run a job, and accepts one success of each (seed %d)', async (seed) => {
    const rule = { attempts: 10_000, maxWorkerLosses: 10_000, batchId: 'race' };
    const noWait = { type: 'fixed', delayMs: 0, factor: 1, maxDelayMs: 0, jitter: 'none' } as const;
    await q.add(...Array.from({ length: JOBS }, () => aJob({ ...rule, backoff: noWait })));
    const world = new World();

    await Promise.all(
      Array.from({ length: WORKERS }, async (_, i) => {
        const random = seededRandom(seed + i);
        const unhurried: Random = { ...seededRandom(seed + i + WORKERS), next: () => 0 };
        const actor = new Actor(q, q.another(unhurried), world, random);
        while ((await q.redis.zcard(`${q.base}succeeded`)) < JOBS) {
          await actor.act();
        }
      }),
    );

    expect(world.successes.size).toBe(JOBS);
    expect([...world.successes.values()].filter((times) => times !== 1)).toEqual([]);
    await q.assertInvariants();
  });
});
