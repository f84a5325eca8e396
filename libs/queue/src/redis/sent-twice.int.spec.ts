import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { aChunk } from '../testing/a-chunk.js';
import { aJob, someJobs } from '../testing/a-job.js';
import { failure, returned, success } from '../testing/an-end.js';
import { dumpPool } from '../testing/dump-pool.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';
import type { PoolScript } from './define-pool-script.js';
import { appendOutput } from './scripts/append-output.js';
import { cancel } from './scripts/cancel.js';
import { claim } from './scripts/claim.js';
import { enqueue } from './scripts/enqueue.js';
import { giveBack } from './scripts/give-back.js';
import { promote } from './scripts/promote.js';
import { purge } from './scripts/purge.js';
import { reclaim } from './scripts/reclaim.js';
import { reconcile } from './scripts/reconcile.js';
import { replaceValue } from './scripts/replace-value.js';
import { retry } from './scripts/retry.js';
import { sealBatch } from './scripts/seal-batch.js';
import { settle } from './scripts/settle.js';
import { trim } from './scripts/trim.js';

const CAP = 1_024;

/** One sending of a script with what it needs before it; the second sending answers `again` (default: the same). */
interface Case {
  /** Answers how to send it as call `number`. */
  prepare(q: QueueSetup): Promise<(number: number) => Promise<unknown>>;
  again?: (first: unknown) => unknown;
}

function sending<P, R>(q: QueueSetup, script: PoolScript<P, R>, params: P): (number: number) => Promise<R> {
  return (number) => q.send(script, number, params);
}

const CASES: Record<string, Case> = {
  'append-output': {
    prepare: async (q) => sending(q, appendOutput, { capBytes: CAP, chunks: [aChunk(await q.run(), 'hello')] }),
  },
  cancel: {
    prepare: async (q) => {
      const { ulid } = await q.run();
      return sending(q, cancel, { ulids: [ulid, ...(await q.add(aJob(), aJob({ delayMs: 60_000 })))] });
    },
  },
  enqueue: {
    prepare: async (q) => sending(q, enqueue, [...someJobs(2, { batchId: 'b' }), aJob({ delayMs: 60_000 })]),
    again: (first) => (first as object[]).map((reply) => ({ ...reply, repeated: true })),
  },
  'give-back': {
    prepare: async (q) => {
      const [free, lost] = [await q.run(aJob({ priority: 1 })), await q.run(aJob({ priority: 2 }))];
      const returns = [returned(free), returned(lost, { reason: 'lease_lost', started: true })];
      return sending(
        q,
        giveBack,
        returns.map((one) => ({ ...one, random: 0.5 })),
      );
    },
    again: () => ['repeated', 'repeated'],
  },
  promote: {
    prepare: async (q) => {
      await q.add(...someJobs(3, { delayMs: 60_000 }));
      await q.makeDue();
      return sending(q, promote, undefined);
    },
    again: (first) => ({ ...(first as object), moved: 0 }),
  },
  purge: {
    prepare: async (q) => {
      const job = await q.run(aJob({ batchId: 'b' }));
      await q.store.appendOutput(q.pool, [aChunk(job, 'hello')]);
      await q.store.settle(q.pool, [success(job)]);
      return sending(q, purge, { ulids: [job.ulid] });
    },
  },
  reclaim: {
    prepare: async (q) => {
      await q.run(aJob({ priority: 1 }), 'dead');
      await q.run(aJob({ priority: 2 }), 'dead');
      return sending(q, reclaim, { session: 'dead', losses: 1, reason: 'no heartbeat', random: 0.5 });
    },
    again: () => ({ moved: [], remaining: 0 }),
  },
  reconcile: {
    prepare: async (q) => {
      const [held] = [await q.run(aJob({ priority: 1 })), await q.run(aJob({ priority: 2 }))];
      const names = { session: 'session-a', worker: 'worker-of-session-a' };
      const attempts = [{ ...held, state: 'running' as const }];
      return sending(q, reconcile, { ...names, epoch: 2, held: attempts, last: true });
    },
    again: (first) => ({ ...(first as object), requeued: 0 }),
  },
  retry: {
    prepare: async (q) => {
      const job = await q.run();
      await q.store.settle(q.pool, [failure(job)]);
      return sending(q, retry, { ulids: [job.ulid] });
    },
  },
  settle: {
    prepare: async (q) => {
      const jobs = [await q.run(), await q.run(), await q.run(aJob({ attempts: 2 }))] as const;
      const ends = [success(jobs[0], { output: [aChunk(jobs[0], 'hello')] }), failure(jobs[1]), failure(jobs[2])];
      return sending(q, settle, { outputCapBytes: CAP, ends: ends.map((one) => ({ ...one, random: 0.5 })) });
    },
    again: () => ['repeated', 'repeated', 'repeated'],
  },
  trim: {
    prepare: async (q) => {
      await q.store.settle(q.pool, [success(await q.run())]);
      await q.store.settle(q.pool, [success(await q.run())]);
      return sending(q, trim, { maxFinished: 1, maxOutputBytes: CAP, goneBatches: [] });
    },
    again: (first) => ({ ...(first as object), jobs: 0, more: false }),
  },
};

/** Scripts of slots that hold one key: no number, the same by what they find. */
const WITHOUT_NUMBER = ['replace-value', 'seal-batch'];

describe('every script sent twice', () => {
  let bench: QueueBench;
  let q: QueueSetup;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(() => {
    q = bench.setup();
  });
  afterAll(() => bench.stop());

  it('leaves none out', () => {
    const folder = join(__dirname, 'scripts');
    const files = readdirSync(folder).filter((name) => name.endsWith('.lua'));
    const tested = ['claim', ...Object.keys(CASES), ...WITHOUT_NUMBER];

    expect(tested.sort()).toEqual(files.map((name) => name.slice(0, -'.lua'.length)).sort());
  });

  describe.each(Object.keys(CASES))('%s', (name) => {
    const { prepare, again = (first: unknown) => first } = CASES[name] as Case;

    it('does nothing and answers the same when it arrives again under its number', async () => {
      const send = await prepare(q);
      const first = await send(1);
      const before = await state();

      const second = await send(1);

      expect(withoutWaits(second)).toEqual(withoutWaits(again(first)));
      expect(await state()).toEqual(before);
      await q.assertInvariants();
    });

    it('numbered calls: STALE_OP, and nothing done, when it arrives behind a later call', async () => {
      const send = await prepare(q);
      await q.send(promote, 2, undefined);
      const before = await state();

      await expect(send(1)).rejects.toThrow(/^STALE_OP/);

      expect(await state()).toEqual(before);
    });

    it('SCHEMA, and nothing done, in a pool of another version', async () => {
      const send = await prepare(q);
      await q.redis.hset(`${q.base}calls`, 'schema', '99');
      const before = await state();

      await expect(send(1)).rejects.toThrow(/^SCHEMA/);

      expect(await state()).toEqual(before);
    });
  });

  it('refuses a claim under its number, behind a later call and in a pool of another version', async () => {
    await q.openGate('session-a');
    await q.add(...someJobs(3));
    const send = sending(q, claim, { claimId: 'c1', wants: [aWant('session-a')] });
    await send(1);
    const before = await state();

    await expect(send(1)).rejects.toThrow(/^STALE_OP/);
    expect(await state()).toEqual(before);

    await q.send(promote, 2, undefined);
    await expect(send(1)).rejects.toThrow(/^STALE_OP/);
    await q.redis.hset(`${q.base}calls`, 'schema', '99');
    await expect(send(3)).rejects.toThrow(/^SCHEMA/);
    expect(await q.redis.zcard(`${q.base}queued`)).toBe(2);
  });

  it('seals a batch twice to the same effect', async () => {
    const key = `${q.prefix}:batch`;
    await q.redis.hset(key, 'name', 'n');

    expect([await sealBatch(q.redis, { key }), await sealBatch(q.redis, { key })]).toEqual([true, true]);
    expect(await q.redis.hgetall(key)).toEqual({ name: 'n', sealed: '1' });
  });

  it('replaces a value once: its repetition finds something else', async () => {
    const params = { key: `${q.prefix}:value`, before: 'a', after: 'b' };
    await q.redis.set(params.key, 'a');

    expect([await replaceValue(q.redis, params), await replaceValue(q.redis, params)]).toEqual([true, false]);
    expect(await q.redis.get(params.key)).toBe('b');
  });

  describe('when others acted between the two', () => {
    it('does not add a job anew that has run, ended and was trimmed', async () => {
      const job = aJob({ retainMs: 0 });
      const send = sending(q, enqueue, [job]);
      const [first] = await send(1);
      await q.openGate('session-a');
      const { jobs } = await q.store.claim(q.pool, [aWant('session-a')]);
      await q.store.settle(
        q.pool,
        jobs.map((one) => success(one)),
      );
      await q.store.trim(q.pool, { maxFinished: 0, maxOutputBytes: 0 });
      expect(await q.state(job.ulid)).toBeUndefined();

      const [second] = await send(1);

      expect(second).toMatchObject({ ulid: first?.ulid, state: 'queued', repeated: true });
      expect(await q.state(job.ulid)).toBeUndefined();
      expect(await q.redis.exists(`${q.base}queued`)).toBe(0);
    });

    it('does not cancel a job anew that was retried', async () => {
      const [waiting = ''] = await q.add(aJob());
      const send = sending(q, cancel, { ulids: [waiting] });
      await send(1);
      await q.store.retry(q.pool, [waiting]);

      expect(await send(1)).toEqual(['cancelled']);
      expect(await q.state(waiting)).toBe('queued');

      await q.openGate('session-a');
      await q.store.claim(q.pool, [aWant('session-a')]);
      await send(1);
      expect(await q.record(waiting)).toMatchObject({ state: 'running', cancel: '' });
    });

    it('does not take back anew what was claimed again', async () => {
      const job = await q.run();
      const send = sending(q, giveBack, [{ ...returned(job), random: 0 }]);
      await send(1);
      await q.store.claim(q.pool, [aWant('session-a')]);

      await send(1);

      expect(await q.state(job.ulid)).toBe('running');
    });

    it('does not end anew what was claimed again, nor retry what was retried', async () => {
      const job = await q.run();
      const settled = sending(q, settle, { outputCapBytes: CAP, ends: [{ ...failure(job), random: 0 }] });
      await settled(1);
      const retried = sending(q, retry, { ulids: [job.ulid] });
      await retried(2);
      const { jobs } = await q.store.claim(q.pool, [aWant('session-a')]);

      expect(await retried(2)).toEqual(['queued']);
      await expect(settled(1)).rejects.toThrow(/^STALE_OP/);
      expect(await q.record(job.ulid)).toMatchObject({ state: 'running', attempt: jobs[0]?.attemptId });
    });
  });

  const state = (): Promise<Record<string, unknown>> => dumpPool(q.redis, q.base);
});

/** How long it is until the next job is due is another time later on. */
function withoutWaits(reply: unknown): unknown {
  return typeof reply === 'object' && reply !== null && 'nextDueInMs' in reply
    ? { ...reply, nextDueInMs: undefined }
    : reply;
}
