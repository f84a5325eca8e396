import type { Random } from '@orchestrator/core';
import { testSeeds } from '@orchestrator/testing';

import type { ClaimedJob, SettleVerdict } from '../store.js';
import { aJob } from '../testing/a-job.js';
import { failure, returned, success } from '../testing/an-end.js';
import { seededRandom } from '../testing/seeded-random.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';
import type { RedisQueueStore } from './redis-queue-store.js';

const CLIENTS = 6;
const JOBS = 200;
/** Seeds of this run; a failure names its own. */
const SEEDS = testSeeds(5);

describe('many clients at once', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(() => {
    q = bench.setup();
  });
  afterAll(() => bench.stop());

  /** Counts what was accepted; an attempt may be accepted once, whoever reports it and how often. */
  class Ledger {
    readonly accepted = new Map<string, number>();
    readonly successes = new Map<string, number>();
    readonly attempts: ClaimedJob[] = [];

    note(job: ClaimedJob, verdict: SettleVerdict | undefined, isSuccess: boolean): void {
      if (verdict === 'accepted') {
        this.accepted.set(job.attemptId, (this.accepted.get(job.attemptId) ?? 0) + 1);
        if (isSuccess) {
          this.successes.set(job.ulid, (this.successes.get(job.ulid) ?? 0) + 1);
        }
      }
    }
  }

  async function actRandomly(store: RedisQueueStore, session: string, seed: number, ledger: Ledger): Promise<void> {
    const random = seededRandom(seed);
    while ((await q.redis.zcard(`${q.base}succeeded`)) < JOBS) {
      const max = 1 + random.below(12);
      const free = random.below(max + 1);
      const { jobs } = await store.claim(q.pool, [aWant(session, { max, free })]);
      ledger.attempts.push(...jobs);
      // Somebody's report of any attempt ever made may arrive again at any time.
      const old = ledger.attempts[random.below(ledger.attempts.length)];
      for (const job of old === undefined ? jobs : [...jobs, old]) {
        const dice = random.next();
        if (dice < 0.6) {
          const twice = [success(job), success(job)];
          const verdicts = await store.settle(q.pool, twice);
          verdicts.forEach((verdict) => ledger.note(job, verdict, true));
        } else if (dice < 0.75) {
          ledger.note(job, (await store.settle(q.pool, [failure(job)]))[0], false);
        } else if (dice < 0.9) {
          ledger.note(job, (await store.giveBack(q.pool, [returned(job)]))[0], false);
        } else {
          const loss = returned(job, { reason: 'lease_lost', started: true });
          ledger.note(job, (await store.giveBack(q.pool, [loss]))[0], false);
        }
      }
    }
  }

  it.each(SEEDS)('accept one success of each job, and each attempt once (seed %d)', async (seed) => {
    const rule = { attempts: 10_000, maxWorkerLosses: 10_000, batchId: 'race' };
    const noWait = { type: 'fixed', delayMs: 0, factor: 1, maxDelayMs: 0, jitter: 'none' } as const;
    const random = seededRandom(seed);
    const jobs = Array.from({ length: JOBS }, () => aJob({ ...rule, backoff: noWait, priority: random.below(3) }));
    await q.add(...jobs);
    const ledger = new Ledger();
    // The waits of what was lost again are random: none, here, so that the race is over quickly.
    const unhurried = (i: number): Random => ({ ...seededRandom(seed + i), next: () => 0 });

    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, i) => {
        await q.openGate(`session-${i}`);
        await actRandomly(q.another(unhurried(i)), `session-${i}`, seed + i, ledger);
      }),
    );

    expect([...ledger.accepted.values()].filter((times) => times !== 1)).toEqual([]);
    expect([...ledger.successes.keys()].sort()).toEqual(jobs.map((job) => job.ulid).sort());
    expect([...ledger.successes.values()].filter((times) => times !== 1)).toEqual([]);
    expect(new Set(ledger.attempts.map((job) => job.attemptId)).size).toBe(ledger.attempts.length);
    expect(await q.redis.hgetall(`${q.base}b:race`)).toMatchObject({
      succeeded: String(JOBS),
      queued: '0',
      running: '0',
    });
    await q.assertInvariants();
  });
});
