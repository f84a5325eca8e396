import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { aJob, someJobs } from '../testing/a-job.js';
import { failure, returned, success } from '../testing/an-end.js';
import { dumpPool } from '../testing/dump-pool.js';
import { CAP, type ScriptCase, SCRIPT_CASES, sending } from '../testing/script-cases.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';
import { cancel } from './scripts/cancel.js';
import { claim } from './scripts/claim.js';
import { enqueue } from './scripts/enqueue.js';
import { giveBack } from './scripts/give-back.js';
import { promote } from './scripts/promote.js';
import { replaceValue } from './scripts/replace-value.js';
import { retry } from './scripts/retry.js';
import { sealBatch } from './scripts/seal-batch.js';
import { settle } from './scripts/settle.js';

/** Those of slots that hold one key, and `migrate` (its own test), are the same by what they find; `recovery` writes nothing. */
const WITHOUT_NUMBER = ['counts', 'glance', 'migrate', 'recovery', 'replace-value', 'seal-batch'];

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
    const tested = ['claim', 'turn', ...Object.keys(SCRIPT_CASES), ...WITHOUT_NUMBER];

    expect(tested.sort()).toEqual(files.map((name) => name.slice(0, -'.lua'.length)).sort());
  });

  describe.each(Object.keys(SCRIPT_CASES))('%s', (name) => {
    const { prepare, again = (first: unknown) => first } = SCRIPT_CASES[name] as ScriptCase;

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

  it('asks for the recovery of a pool twice, and writes nothing', async () => {
    await q.run();
    await q.moveServer();
    const before = await state();

    expect(await q.store.recovery(q.pool)).toEqual(await q.store.recovery(q.pool));
    expect(await state()).toEqual(before);
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
      const record = await q.record(waiting);
      expect(record).toMatchObject({ state: 'running' });
      expect(record).not.toHaveProperty('cancel');
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

/** How long it is until the next job is due, or a recovery may end, is another time later on. */
function withoutWaits(reply: unknown): unknown {
  return typeof reply === 'object' && reply !== null && ('nextDueInMs' in reply || 'notBeforeMs' in reply)
    ? { ...reply, nextDueInMs: undefined, notBeforeMs: undefined }
    : reply;
}
