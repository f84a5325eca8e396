import { MAX_BATCH, RECOVERY_MIN_MS } from '../../store.js';
import { aJob, someJobs } from '../../testing/a-job.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';
import { beginRecovery } from './begin-recovery.js';

describe('Recovery of a pool: begin-recovery', () => {
  let bench: QueueBench;
  let q: QueueSetup;
  let runId: string;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(async () => {
    q = bench.setup();
    runId = /run_id:(\w+)/.exec(await q.redis.info('server'))?.[1] ?? '';
  });
  afterEach(() => q.assertInvariants());
  afterAll(() => bench.stop());

  const awaited = async (): Promise<string[]> => (await q.redis.smembers(`${q.base}awaited`)).sort();
  const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `session-${i}`);

  it('awaits the sessions that a gate names and those that it is given', async () => {
    await q.add(aJob());
    await q.openGate('gate');
    await q.moveServer();

    const reply = await q.store.beginRecovery(q.pool, ['registered', 'gate']);

    expect({ ...reply, awaited: reply?.awaited.sort() }).toEqual({
      begun: true,
      runId,
      awaited: ['gate', 'registered'],
      notBeforeMs: expect.any(Number) as number,
    });
    expect(reply?.notBeforeMs).toBeGreaterThan(RECOVERY_MIN_MS - 1_000);
    expect(reply?.notBeforeMs).toBeLessThanOrEqual(RECOVERY_MIN_MS);
    expect(await q.redis.hget(`${q.base}calls`, 'server')).toBe(runId);
    expect((await q.store.claim(q.pool, [aWant('gate')])).jobs).toEqual([]);
  });

  it('awaits nobody whose death is being carried out', async () => {
    await q.openGate('dead');
    await q.add(...someJobs(150));
    await q.store.claim(q.pool, [aWant('dead', { max: 150 })]);
    await q.store.reclaim(q.pool, { session: 'dead', losses: 0, reason: 'gone' });
    await q.moveServer();

    expect(await q.store.beginRecovery(q.pool, ['dead', 'alive'])).toMatchObject({ awaited: ['alive'] });
  });

  it('leaves one that is under way as it is, and a pool that needs none', async () => {
    await q.add(aJob());
    expect(await q.store.beginRecovery(q.pool, ['a'])).toBeUndefined();
    expect(await awaited()).toEqual([]);
    await q.moveServer();
    await q.store.beginRecovery(q.pool, ['a']);
    const since = await q.redis.hget(`${q.base}calls`, 'recovering');

    expect(await q.another().beginRecovery(q.pool, ['b'])).toMatchObject({ begun: true, awaited: ['a'] });
    expect(await q.redis.hget(`${q.base}calls`, 'recovering')).toBe(since);
  });

  it('has nothing to do in a pool of which nothing is there', async () => {
    expect(await q.store.beginRecovery(q.pool, ['a'])).toBeUndefined();
    expect(await q.redis.hget(`${q.base}calls`, 'server')).toBe(runId);
    expect(await awaited()).toEqual([]);
  });

  it('begins anew on the next server, for all that either recovery awaits', async () => {
    await q.add(aJob());
    await q.moveServer();
    await q.store.beginRecovery(q.pool, ['a']);
    await q.letRecoveryAge();
    await q.moveServer();
    expect(await q.store.recovery(q.pool)).toMatchObject({ begun: false });

    const reply = await q.store.beginRecovery(q.pool, ['b']);

    expect(reply).toMatchObject({ begun: true });
    expect(reply?.notBeforeMs).toBeGreaterThan(RECOVERY_MIN_MS - 1_000);
    expect(await awaited()).toEqual(['a', 'b']);
  });

  it('takes more sessions than one call may name', async () => {
    await q.add(aJob());
    await q.moveServer();

    const reply = await q.store.beginRecovery(q.pool, names(2 * MAX_BATCH + 1));

    expect(reply?.begun).toBe(true);
    expect(reply?.awaited.sort()).toEqual(names(2 * MAX_BATCH + 1).sort());
  });

  it('is not begun when it is cut short before its last chunk', async () => {
    await q.add(aJob());
    await q.moveServer();

    const cut = await q.send(beginRecovery, 1, { sessions: ['a'], runId: undefined, last: false });

    expect(cut).toEqual({ begun: false, runId, awaited: [], notBeforeMs: RECOVERY_MIN_MS });
    expect((await q.store.claim(q.pool, [])).recovery?.begun).toBe(false);
    await q.store.beginRecovery(q.pool, ['b']);
    expect(await awaited()).toEqual(['a', 'b']);
  });

  it('is not begun when the pool moved between two chunks: the new server may lack the first', async () => {
    await q.add(aJob());
    await q.moveServer();

    const moved = await q.send(beginRecovery, 1, { sessions: ['b'], runId: 'e'.repeat(40), last: true });

    expect(moved).toMatchObject({ begun: false, runId });
    expect(await awaited()).toEqual([]);
  });
});
