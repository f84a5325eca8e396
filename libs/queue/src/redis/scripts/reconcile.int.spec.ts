import { StaleEpochError } from '../../errors.js';
import type { HeldAttempt } from '../../store.js';
import { success } from '../../testing/an-end.js';
import { aJob, someJobs } from '../../testing/a-job.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { reconcile } from './reconcile.js';

const SESSION = 'session-a';
const WORKER = 'worker-a';

describe('reconcile', () => {
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

  const hello = (epoch: number, held: readonly HeldAttempt[], last = true) =>
    q.store.reconcile(q.pool, { session: SESSION, worker: WORKER, epoch, held, last });
  const holds = (job: { ulid: string; attemptId: string; fence: number }): HeldAttempt => ({
    ...job,
    state: 'running',
  });

  it("opens the pool's gate, so that this epoch can claim and no other", async () => {
    await q.add(aJob(), aJob());

    await hello(7, []);

    expect(await q.store.gates(q.pool)).toEqual(new Map([[SESSION, 7]]));
    expect(await q.store.pools()).toContain(q.pool);
    expect((await q.store.claim(q.pool, [aWant(SESSION, { epoch: 6 })])).refused).toEqual([SESSION]);
    expect((await q.store.claim(q.pool, [aWant(SESSION, { epoch: 7 })])).jobs).toHaveLength(1);
  });

  it('confirms what is held and owned, and stamps it with the new epoch', async () => {
    const job = await q.run();

    const reply = await hello(2, [holds(job)]);

    expect(reply).toEqual({ verdicts: ['held'], requeued: 0, adopted: 0, more: false, orders: [] });
    expect(await q.record(job.ulid)).toMatchObject({ state: 'running', epoch: '2', attempt: job.attemptId });
  });

  it('answers gone for what ended, what another attempt or session holds, and what is unknown', async () => {
    const ended = await q.run();
    await q.store.settle(q.pool, [success(ended)]);
    const others = await q.run(aJob(), 'session-b');
    const own = await q.run();
    const held = [ended, others, { ...own, attemptId: 'old.0' }, { ...own, ulid: 'unknown' }, own].map(holds);

    const reply = await hello(2, held, false);

    expect(reply.verdicts).toEqual(['gone', 'gone', 'gone', 'gone', 'held']);
  });

  it('queues again for free, at its old place, what the session owns under a lower epoch and does not hold', async () => {
    const lost = await q.run();
    const kept = await q.run();
    const place = (await q.record(lost.ulid))['place'];

    const reply = await hello(2, [holds(kept)]);

    expect(reply).toMatchObject({ requeued: 1, more: false });
    const record = await q.record(lost.ulid);
    expect(record).toMatchObject({ state: 'queued', starts: '0', place });
    expect(record['losses'] ?? '0').toBe('0');
    expect(await q.state(kept.ulid)).toBe('running');
    expect((await q.events()).at(-1)).toMatch(`returned ${lost.ulid} 0`);
    const [job] = await q.store.getJobs(q.pool, [lost.ulid]);
    expect(job?.history).toEqual([]);
  });

  it('leaves alone what was claimed under the current epoch', async () => {
    await hello(2, [], false);
    await q.add(aJob());
    const claimed = (await q.store.claim(q.pool, [aWant(SESSION, { epoch: 2 })])).jobs[0];

    const reply = await hello(2, []);

    expect(reply.requeued).toBe(0);
    expect(await q.state(claimed?.ulid ?? '')).toBe('running');
  });

  it('queues nothing again before the last chunk', async () => {
    const job = await q.run();

    expect((await hello(2, [], false)).requeued).toBe(0);
    expect(await q.state(job.ulid)).toBe('running');

    expect((await hello(2, [])).requeued).toBe(1);
  });

  it('takes steps of 100 and says when there is more', async () => {
    await q.openGate(SESSION);
    await q.add(...someJobs(300));
    for (let i = 0; i < 2; i += 1) {
      await q.store.claim(q.pool, [aWant(SESSION, { max: 150 })]);
    }

    expect(await hello(2, [])).toMatchObject({ requeued: 100, more: true });
    expect(await hello(2, [])).toMatchObject({ requeued: 100, more: true });
    expect(await hello(2, [])).toMatchObject({ requeued: 100, more: false });
    expect(await q.store.counts(q.pool)).toMatchObject({ queued: 300, running: 0 });
  });

  it('STALE_EPOCH: refuses an epoch below that of the gate and changes nothing', async () => {
    const job = await q.run();
    await hello(5, [holds(job)]);

    await expect(hello(4, [])).rejects.toThrow(StaleEpochError);

    expect(await q.store.gates(q.pool)).toEqual(new Map([[SESSION, 5]]));
    expect(await q.record(job.ulid)).toMatchObject({ state: 'running', epoch: '5' });
  });

  it('STALE_EPOCH: refuses a session whose death is being carried out', async () => {
    await q.openGate(SESSION);
    await q.add(...someJobs(300));
    await q.store.claim(q.pool, [aWant(SESSION, { max: 250 })]);
    await q.store.claim(q.pool, [aWant(SESSION, { max: 50 })]);
    expect((await q.store.reclaim(q.pool, { session: SESSION, losses: 0, reason: 'gone' })).remaining).toBe(200);

    await expect(hello(9, [])).rejects.toThrow(StaleEpochError);

    expect(await q.redis.hexists(`${q.base}gates`, SESSION)).toBe(0);
  });

  it('orders to workers: answers those still to be told for what is held', async () => {
    const job = await q.run();
    const other = await q.run();
    await q.store.cancel(q.pool, [job.ulid]);

    const reply = await hello(2, [holds(job), holds(other)]);

    const { ulid, attemptId, fence } = job;
    expect(reply.orders).toEqual([{ ulid, session: SESSION, attemptId, fence, order: 'cancel' }]);
  });

  it('cancels what was to be cancelled and never arrived', async () => {
    const job = await q.run();
    await q.store.cancel(q.pool, [job.ulid]);

    expect((await hello(2, [])).requeued).toBe(1);

    expect(await q.state(job.ulid)).toBe('cancelled');
    expect(await q.store.pendingOrders(q.pool, [SESSION])).toEqual([]);
  });

  it('answers the same when it is sent twice, with the same number or a new one', async () => {
    const job = await q.run();
    const request = { session: SESSION, worker: WORKER, epoch: 2, held: [holds(job)], last: true };
    const call = { base: q.base, clientId: 'twice', number: 1 };

    const replies = [
      await reconcile.send(q.redis, call, request),
      await reconcile.send(q.redis, call, request),
      await reconcile.send(q.redis, { ...call, number: 2 }, request),
    ];

    expect(new Set(replies.map((reply) => JSON.stringify(reply))).size).toBe(1);
    await expect(reconcile.send(q.redis, call, request)).rejects.toThrow(/^STALE_OP/);
  });
});
