import { toJobId } from '@orchestrator/core';
import { createDeferred, TimeoutError } from '@orchestrator/lifecycle';
import type { EnqueueReply, NewJob } from '@orchestrator/queue';
import { ManualClock } from '@orchestrator/testing';

import { Submitter, type SubmitterParams } from './submitter.js';

const LIMIT_MS = 1_000;

function setup(onSent?: SubmitterParams['onSent']) {
  const clock = new ManualClock();
  const calls: { pool: string; ulids: string[]; answer(): void; fail(error: Error): void }[] = [];
  const store = {
    enqueue: (pool: string, jobs: readonly NewJob[], told?: () => void): Promise<EnqueueReply[]> => {
      const reply = createDeferred<EnqueueReply[]>();
      calls.push({
        pool,
        ulids: jobs.map((job) => job.ulid),
        answer: () => reply.resolve(jobs.map(({ ulid }) => ({ ulid, state: 'queued', createdAt: 1, repeated: false }))),
        fail: reply.reject,
      });
      told?.();
      return reply.promise;
    },
  };
  const submitter = new Submitter({ store, clock, limitMs: LIMIT_MS, ...(onSent && { onSent }) });
  const submit = (ulid: string, pool = 'p', bytes = 100): Promise<EnqueueReply> => {
    const job = { ulid, spec: { name: toJobId(pool, ulid) }, rule: {}, priority: 0 } as unknown as NewJob;
    return submitter.submit(pool, job, bytes);
  };
  return { clock, calls, submit };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Submitter', () => {
  it('sends what comes in one turn together when it ends, and then what has come meanwhile', async () => {
    const { calls, submit } = setup();

    const first = [submit('a'), submit('A'), submit('d', 'q')];
    expect(calls).toEqual([]);
    await settle();
    const all = Promise.all([...first, submit('b'), submit('c')]);
    await settle();
    expect(calls.map(({ ulids }) => ulids)).toEqual([['a', 'A'], ['d']]);
    calls.forEach((call) => call.answer());
    await settle();
    expect(calls[2]?.ulids).toEqual(['b', 'c']);
    calls[2]?.answer();

    expect((await all).map(({ ulid }) => ulid)).toEqual(['a', 'A', 'd', 'b', 'c']);
    void submit('e');
    await settle();
    expect(calls[3]?.ulids).toEqual(['e']);
  });

  it('sends at most 250 a call', async () => {
    const { calls, submit } = setup();
    const all = Promise.all(Array.from({ length: 600 }, (_, i) => submit(`n${i}`)));
    await settle();

    for (let i = 0; i < 3; i += 1) {
      calls[i]?.answer();
      await settle();
    }

    expect((await all).length).toBe(600);
    expect(calls.map(({ ulids }) => ulids.length)).toEqual([250, 250, 100]);
  });

  it('sends a second call beside the one under way when 32 have gathered, and no third one', async () => {
    const { calls, submit } = setup();
    const all: Promise<EnqueueReply>[] = [];
    const submitMore = async (count: number): Promise<void> => {
      all.push(...Array.from({ length: count }, (_, i) => submit(`n${all.length + i}`)));
      await settle();
    };
    await submitMore(1);
    await submitMore(31);
    expect(calls.map(({ ulids }) => ulids.length)).toEqual([1]);
    await submitMore(1);
    await submitMore(67);
    expect(calls.map(({ ulids }) => ulids.length)).toEqual([1, 32]);

    calls[1]?.answer();
    await settle();
    expect(calls.map(({ ulids }) => ulids.length)).toEqual([1, 32, 67]);
    void submit('few');
    calls[0]?.answer();
    await settle();
    expect(calls).toHaveLength(3);
    calls[2]?.answer();

    expect((await Promise.all(all)).map(({ ulid }) => ulid)).toEqual(Array.from({ length: 100 }, (_, i) => `n${i}`));
    expect(calls[3]?.ulids).toEqual(['few']);
  });

  it.each([
    ['when it is on its way to a worker', (started: () => void) => started()],
    ['when 5 ms are over', (_started: () => void, clock: ManualClock) => clock.advance(5)],
  ])('answers a lone job %s', async (_when, go) => {
    const started = createDeferred<void>();
    const { clock, calls, submit } = setup(() => started.promise);
    let answered = 0;
    void submit('a').then(() => (answered += 1));
    await settle();
    calls[0]?.answer();
    await settle();
    clock.advance(4);
    await settle();
    expect(answered).toBe(0);

    go(started.resolve, clock);
    await settle();
    await settle();

    expect(answered).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('answers several jobs of a call at once, and one that nothing is free for', async () => {
    const asked: number[] = [];
    const { calls, submit } = setup((_pool, jobs) => {
      asked.push(jobs.length);
      return jobs.length > 1 ? new Promise(() => undefined) : undefined;
    });
    const first = submit('a');
    await settle();
    const all = Promise.all([first, submit('b'), submit('c')]);

    calls[0]?.answer();
    await settle();
    calls[1]?.answer();

    expect((await all).map(({ ulid }) => ulid)).toEqual(['a', 'b', 'c']);
    expect(asked).toEqual([1, 2]);
  });

  it('does not write later what was answered as not confirmed', async () => {
    const { clock, calls, submit } = setup();
    const first = submit('a');
    await settle();
    const second = submit('b');
    const both = Promise.allSettled([first, second]);

    clock.advance(LIMIT_MS);
    const outcomes = await both;
    calls[0]?.fail(new Error('late'));
    await settle();

    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason instanceof TimeoutError)).toEqual([
      true,
      true,
    ]);
    expect(calls).toHaveLength(1);
  });

  it('gives each its own limit, with one timer for all and none when all are answered', async () => {
    const { clock, calls, submit } = setup();
    const outcomes: string[] = [];
    const told = (ulid: string, pool: string): void =>
      void submit(ulid, pool).then(
        () => outcomes.push(`${ulid} is written`),
        () => outcomes.push(`${ulid} is given up`),
      );
    told('a', 'p');
    await settle();
    told('b', 'p');
    clock.advance(LIMIT_MS / 2);
    told('c', 'p');
    told('d', 'q');
    expect(clock.pendingTimers).toBe(1);

    clock.advance(LIMIT_MS / 2);
    await settle();
    expect(outcomes).toEqual(['a is given up', 'b is given up']);
    calls[0]?.answer();
    await settle();
    expect(calls.map(({ ulids }) => ulids)).toEqual([['a'], ['d'], ['c']]);
    calls.slice(1).forEach((call) => call.answer());
    await settle();

    expect(outcomes.slice(2).sort()).toEqual(['c is written', 'd is written']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('fails those of a failed call and goes on with the others', async () => {
    const { calls, submit } = setup();
    const first = submit('a');
    await settle();
    const second = submit('b');

    calls[0]?.fail(new Error('no'));
    await expect(first).rejects.toThrow('no');
    await settle();
    calls[1]?.answer();

    await expect(second).resolves.toMatchObject({ ulid: 'b' });
  });

  it('refuses what memory is not there for, until others were answered or given up', async () => {
    const { clock, calls, submit } = setup();
    const mib = 1024 * 1024;
    const first = submit('a', 'p', 200 * mib);
    const second = submit('b', 'q', 56 * mib);

    await expect(submit('c', 'r', 1)).rejects.toMatchObject({ kind: 'overloaded' });

    await settle();
    calls[0]?.answer();
    await first;
    const third = submit('d', 'r', 200 * mib);
    clock.advance(LIMIT_MS);
    await expect(second).rejects.toThrow(TimeoutError);
    await expect(third).rejects.toThrow(TimeoutError);
    void submit('e', 's', 256 * mib);
    await settle();
    expect(calls.at(-1)?.ulids).toEqual(['e']);
  });
});
