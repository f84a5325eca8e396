import { RECOVERY_MIN_MS } from '../../store.js';
import { aJob } from '../../testing/a-job.js';
import { dumpPool } from '../../testing/dump-pool.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../../testing/setup.js';

describe('Recovery of a pool: recovery', () => {
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

  it('is none in a pool that is not there, and in one that stays where it is', async () => {
    expect(await q.store.recovery(q.pool)).toBeUndefined();
    await q.add(aJob());
    expect(await q.store.recovery(q.pool)).toBeUndefined();
    expect(await q.store.claim(q.pool, [])).not.toHaveProperty('recovery');
  });

  it('has to be begun where the pool remembers another server', async () => {
    await q.add(aJob());
    await q.moveServer();
    const before = await dumpPool(q.redis, q.base);

    const state = await q.store.recovery(q.pool);

    const runId = /run_id:(\w+)/.exec(await q.redis.info('server'))?.[1];
    expect(state).toEqual({ begun: false, runId, awaited: [], notBeforeMs: RECOVERY_MIN_MS });
    expect((await q.store.claim(q.pool, [])).recovery).toEqual(state);
    expect(await dumpPool(q.redis, q.base)).toEqual(before);
  });

  it('has to be begun where jobs were stored before servers were remembered', async () => {
    await q.add(aJob());
    await q.redis.hdel(`${q.base}calls`, 'server');

    expect(await q.store.recovery(q.pool)).toMatchObject({ begun: false });

    await q.moveServer();
  });

  it('lasts until nobody is awaited and its time is over, whichever comes last', async () => {
    await q.add(aJob());
    await q.moveServer();
    await q.store.beginRecovery(q.pool, ['a']);
    await q.letRecoveryAge();
    expect(await q.store.recovery(q.pool)).toMatchObject({ begun: true, awaited: ['a'], notBeforeMs: 0 });

    await q.redis.hset(`${q.base}calls`, 'recovering', await q.now());
    await q.store.reconcile(q.pool, { session: 'a', worker: 'w', epoch: await q.now(), held: [], last: true });
    expect(await q.store.recovery(q.pool)).toMatchObject({ begun: true, awaited: [] });
    expect((await q.store.claim(q.pool, [aWant('a')])).recovery).toMatchObject({ begun: true, awaited: [] });

    await q.letRecoveryAge();
    expect(await q.store.recovery(q.pool)).toBeUndefined();
  });
});
