import { canTransition, isFinal, JOB_STATES, type JobState, TRANSITIONS } from '@orchestrator/core';

import type { ClaimedJob } from '../store.js';
import { aChunk } from '../testing/a-chunk.js';
import { aJob } from '../testing/a-job.js';
import { cancellation, failure, returned, success } from '../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';

/** A job in some state, with the attempt that it had last. */
interface Subject {
  ulid: string;
  attempt: ClaimedJob;
}

/** States that exist now; `blocked` and `skipped` come with workflows. */
const STATES = ['scheduled', 'queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
type State = (typeof STATES)[number];

/** Transitions of the table that no operation makes yet. */
const LATER: readonly string[] = ['queued -> scheduled'];

describe('the transitions of a job', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(() => {
    q = bench.setup();
  });
  afterEach(() => q.assertInvariants());
  afterAll(() => bench.stop());

  /** Makes a job of which one attempt has been accepted, failed, and lets it be run again (`losses` before that). */
  async function runAgain(losses: number): Promise<Subject> {
    const job = await q.run(aJob({ attempts: 2, maxWorkerLosses: 3 }));
    await q.patch(job.ulid, { losses: losses });
    return { ulid: job.ulid, attempt: job };
  }

  const reach: Record<State, (losses: number) => Promise<Subject>> = {
    running: runAgain,
    scheduled: async (losses) => {
      const subject = await runAgain(losses);
      await q.store.settle(q.pool, [failure(subject.attempt)]);
      return subject;
    },
    queued: async (losses) => {
      const subject = await runAgain(losses);
      await q.store.giveBack(q.pool, [returned(subject.attempt)]);
      return subject;
    },
    succeeded: async (losses) => {
      const subject = await runAgain(losses);
      await q.store.settle(q.pool, [success(subject.attempt)]);
      return subject;
    },
    failed: async (losses) => {
      const subject = await runAgain(losses);
      await q.store.settle(q.pool, [failure(subject.attempt, { retryable: false })]);
      return subject;
    },
    cancelled: async (losses) => {
      const subject = await runAgain(losses);
      await q.store.settle(q.pool, [cancellation(subject.attempt)]);
      return subject;
    },
  };

  const lost = { reason: 'lease_lost', started: true } as const;
  const operations: Record<string, (subject: Subject) => Promise<unknown>> = {
    'enqueue again': ({ ulid }) => q.store.enqueue(q.pool, [aJob({ ulid: ulid as never })]),
    promote: () => q.store.promote(q.pool),
    'promote when due': async () => {
      await q.makeDue();
      await q.store.promote(q.pool);
    },
    claim: () => q.store.claim(q.pool, [aWant('session-a')]),
    'claim when due': async () => {
      await q.makeDue();
      await q.store.claim(q.pool, [aWant('session-a')]);
    },
    succeed: ({ attempt }) => q.store.settle(q.pool, [success(attempt)]),
    fail: ({ attempt }) => q.store.settle(q.pool, [failure(attempt)]),
    'fail for good': ({ attempt }) => q.store.settle(q.pool, [failure(attempt, { retryable: false })]),
    'fail after a freeze': ({ attempt }) => q.store.settle(q.pool, [failure(attempt, { wasFrozen: true })]),
    'end cancelled': ({ attempt }) => q.store.settle(q.pool, [cancellation(attempt)]),
    'give back for free': ({ attempt }) => q.store.giveBack(q.pool, [returned(attempt)]),
    'give back as a loss': ({ attempt }) => q.store.giveBack(q.pool, [returned(attempt, lost)]),
    'cancel, then give back': async ({ ulid, attempt }) => {
      await q.store.cancel(q.pool, [ulid]);
      await q.store.giveBack(q.pool, [returned(attempt)]);
    },
    cancel: ({ ulid }) => q.store.cancel(q.pool, [ulid]),
    retry: ({ ulid }) => q.store.retry(q.pool, [ulid]),
    'reconcile without it': () => q.store.reconcile(q.pool, { ...hello, epoch: 2, held: [], last: true }),
    'reconcile with it': ({ attempt }) =>
      q.store.reconcile(q.pool, { ...hello, epoch: 2, held: [{ ...attempt, state: 'running' }], last: true }),
    'adopt by reconcile': async ({ attempt }) => {
      await q.moveServer();
      const held = [{ ...later(attempt), state: 'running' as const }];
      await q.store.reconcile(q.pool, { ...hello, epoch: 2, held, last: true });
    },
    'adopt by a result': async ({ attempt }) => {
      await q.moveServer();
      await q.store.settle(q.pool, [success(later(attempt), { holder })]);
    },
    reclaim: () => q.store.reclaim(q.pool, { session: 'session-a', losses: 1, reason: 'no heartbeat for 15 s' }),
    'reclaim for free': () => q.store.reclaim(q.pool, { session: 'session-a', losses: 0, reason: 'drained' }),
    purge: ({ ulid }) => q.store.purge(q.pool, [ulid]),
    'append output': ({ attempt }) => q.store.appendOutput(q.pool, [aChunk(attempt, 'hello')]),
    trim: () => q.store.trim(q.pool, { maxFinished: 1_000, maxOutputBytes: 1_000 }),
  };
  /** One that began in what was lost. */
  const later = (attempt: ClaimedJob): ClaimedJob => ({ ...attempt, attemptId: 'lost.0', fence: attempt.fence + 1 });
  const holder = { session: 'session-a', worker: 'worker-of-session-a', number: 2 };
  const hello = { session: 'session-a', worker: 'worker-of-session-a' };

  const seen = new Set<string>();
  const everywhere = STATES.flatMap((from) =>
    Object.keys(operations).flatMap((name) => [0, 1, 2].map((losses) => ({ from, name, losses }))),
  );

  it.each(everywhere)('$from: "$name" with $losses losses makes one that the table has, or none', async (walk) => {
    const subject = await reach[walk.from](walk.losses);
    expect(await q.state(subject.ulid)).toBe(walk.from);
    const before = (await q.events()).length;

    await operations[walk.name]?.(subject);

    const path = [walk.from, ...(await statesAfter(subject.ulid, before, walk.from))];
    const isGone = walk.name === 'purge' && isFinal(walk.from);
    expect(await q.state(subject.ulid)).toBe(isGone ? undefined : path.at(-1));
    for (const [i, to] of path.slice(1).entries()) {
      const step = { from: path[i] as JobState, to };
      expect({ ...step, allowed: canTransition(step.from, to) }).toEqual({ ...step, allowed: true });
      seen.add(`${step.from} -> ${to}`);
    }
  });

  it('are all there: each of the table that can be made now has been made', () => {
    const isNow = (state: JobState): boolean => (STATES as readonly string[]).includes(state);
    const expected = JOB_STATES.filter(isNow).flatMap((from) =>
      TRANSITIONS[from].filter(isNow).map((to) => `${from} -> ${to}`),
    );

    expect([...seen].sort()).toEqual(expected.filter((step) => !LATER.includes(step)).sort());
  });

  /** The states that the job has been in since, by its events; a claim may make two transitions in one call. */
  async function statesAfter(ulid: string, before: number, from: State): Promise<JobState[]> {
    const lines = (await q.events()).slice(before).filter((line) => line.split(' ')[1] === ulid);
    return lines.flatMap((line): JobState[] => {
      const [type, , , , extra] = line.split(' ');
      switch (type) {
        case 'started':
          return ['running'];
        case 'adopted':
          return from === 'running' ? [] : ['running']; // a later attempt of its holder's takes the place of the stored
        case 'returned':
          return ['queued'];
        case 'retrying':
          return ['scheduled'];
        case 'reassigned':
          return [extra === undefined ? 'queued' : 'scheduled'];
        case 'cancel':
          return [];
        default:
          return [type as JobState];
      }
    });
  }
});
