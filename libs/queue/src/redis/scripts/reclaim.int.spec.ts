import { aJob, someJobs } from '../../testing/a-job.js';
import { success } from '../../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { reclaim } from './reclaim.js';

const SESSION = 'session-a';

describe('reclaim', () => {
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

  const claimed = async (count: number): Promise<string[]> => {
    await q.openGate(SESSION);
    const ulids = await q.add(...someJobs(count));
    for (let left = count; left > 0; left -= 250) {
      await q.store.claim(q.pool, [aWant(SESSION, { max: Math.min(left, 250) })]);
    }
    return ulids;
  };
  const die = (losses: number) =>
    q.store.reclaim(q.pool, { session: SESSION, losses, reason: 'no heartbeat for 15 s' });

  it('death carried out in each pool: closes the gate and takes back every job of the session', async () => {
    const other = await q.run(aJob(), 'session-b');
    const ulids = await claimed(3);

    const reply = await die(3);

    expect(reply.remaining).toBe(0);
    expect(reply.moved).toEqual(
      ulids.map((ulid) => ({ ulid, worker: `worker-of-${SESSION}`, lost: true, state: 'queued' })),
    );
    expect(await q.store.gates(q.pool)).toEqual(new Map([['session-b', 1]]));
    expect((await q.store.claim(q.pool, [aWant(SESSION)])).refused).toEqual([SESSION]);
    expect(await q.state(other.ulid)).toBe('running');
  });

  it('losses in order of claim: the first ones count as lost, the rest returns for free', async () => {
    const ulids = await claimed(5);

    const reply = await die(2);

    expect(reply.moved.map(({ ulid, lost }) => [ulid, lost])).toEqual(ulids.map((ulid, i) => [ulid, i < 2]));
    const jobs = await q.store.getJobs(q.pool, ulids);
    expect(jobs.map((job) => job?.workerLosses)).toEqual([1, 1, 0, 0, 0]);
    expect(jobs.map((job) => job?.starts)).toEqual([1, 1, 0, 0, 0]);
    expect(jobs[0]?.history).toMatchObject([{ number: 1, outcome: 'lost', reason: 'no heartbeat for 15 s' }]);
    expect(jobs[2]?.history).toEqual([]);
  });

  it('losses left to count carry over from chunk to chunk', async () => {
    const ulids = await claimed(220);

    const replies = [await die(110), await die(110), await die(110)];

    expect(replies.map(({ moved, remaining }) => [moved.length, remaining])).toEqual([
      [100, 120],
      [100, 20],
      [20, 0],
    ]);
    expect(replies.map(({ moved }) => moved.filter(({ lost }) => lost).length)).toEqual([100, 10, 0]);
    expect(replies.flatMap(({ moved }) => moved.map(({ ulid }) => ulid))).toEqual(ulids);
    expect(await q.redis.exists(`${q.base}dying`)).toBe(0);
  });

  it('names the session among the gates until its last job is taken back, so that a sweep finds it', async () => {
    await claimed(120);
    await die(4);
    const halfway = await q.store.gates(q.pool);

    await die(4);

    expect(halfway).toEqual(new Map([[SESSION, 0]]));
    expect(await q.store.gates(q.pool)).toEqual(new Map());
  });

  it('superseded returns free: without losses, every start is kept in the history as returned', async () => {
    const [ulid = ''] = await claimed(1);

    await q.store.reclaim(q.pool, { session: SESSION, losses: 0, reason: 'superseded' });

    const [job] = await q.store.getJobs(q.pool, [ulid]);
    expect(job).toMatchObject({ state: 'queued', workerLosses: 0, starts: 1 });
    expect(job?.history).toMatchObject([{ number: 1, outcome: 'returned', reason: 'superseded' }]);
  });

  it('returns jobs to their old places', async () => {
    const ulids = await claimed(2);
    await q.add(aJob());

    await die(1);

    expect(await q.store.position(q.pool, ulids[0] ?? '')).toBe(0);
    expect(await q.store.position(q.pool, ulids[1] ?? '')).toBe(1);
  });

  it('makes a job wait from its second loss on, and fails it as worker_lost at its limit', async () => {
    const [ulid = ''] = await q.add(aJob({ maxWorkerLosses: 3 }));
    const states = [];

    for (const session of ['session-b', 'session-c', 'session-d']) {
      await q.makeDue();
      await q.openGate(session);
      await q.store.claim(q.pool, [aWant(session)]);
      await q.store.reclaim(q.pool, { session, losses: 1, reason: 'killed' });
      states.push(await q.state(ulid));
    }

    expect(states).toEqual(['queued', 'scheduled', 'failed']);
    const [job] = await q.store.getJobs(q.pool, [ulid]);
    expect(job?.end?.failure).toMatchObject({ reason: 'worker_lost' });
    expect(job).toMatchObject({ workerLosses: 3, failures: 0 });
    expect(job?.history.map(({ outcome }) => outcome)).toEqual(['lost', 'lost', 'lost']);
  });

  it('ends what was to be cancelled as cancelled', async () => {
    const [ulid = ''] = await claimed(1);
    await q.store.cancel(q.pool, [ulid]);

    expect((await die(1)).moved).toMatchObject([{ ulid, state: 'cancelled' }]);
  });

  it('makes the late result of the dead session stale', async () => {
    const job = await q.run();
    await die(1);

    expect(await q.store.settle(q.pool, [success(job)])).toEqual(['stale']);
    expect(await q.state(job.ulid)).toBe('queued');
  });

  it('takes a record that disagrees with its owner list only off the list', async () => {
    const [ulid = ''] = await claimed(1);
    const other = await q.run(aJob(), 'session-b');
    await q.redis.zadd(`${q.base}s:${SESSION}`, 1, other.ulid, 2, 'unknown');

    const reply = await die(5);

    expect(reply.moved.map((moved) => moved.ulid)).toEqual([ulid]);
    expect(reply.remaining).toBe(0);
  });

  it('is idempotent: sent again with the same number or a new one it moves nothing twice', async () => {
    const [ulid = ''] = await claimed(1);
    const request = { session: SESSION, losses: 1, reason: 'silent', random: 0.5 };
    const call = { base: q.base, clientId: 'twice', number: 1 };

    await reclaim.send(q.redis, call, request);
    const again = [
      await reclaim.send(q.redis, call, request),
      await reclaim.send(q.redis, { ...call, number: 2 }, request),
    ];

    expect(again).toEqual([
      { moved: [], remaining: 0 },
      { moved: [], remaining: 0 },
    ]);
    expect((await q.store.getJobs(q.pool, [ulid]))[0]?.workerLosses).toBe(1);
    await expect(reclaim.send(q.redis, call, request)).rejects.toThrow(/^STALE_OP/);
  });
});
