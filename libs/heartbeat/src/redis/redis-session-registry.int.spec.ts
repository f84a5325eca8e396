import { createRedis } from '@orchestrator/redis';
import { startRedis, type TestRedis } from '@orchestrator/testing';

import { OtherServerError, StaleTermError } from '../errors.js';
import { controlKeys } from '../keys.js';
import { aHello, aRenewal, welcome } from '../testing/sessions.js';
import { RedisSessionRegistry } from './redis-session-registry.js';

describe('RedisSessionRegistry', () => {
  let server: TestRedis;
  let redis: ReturnType<typeof createRedis>;
  let prefix: string;
  let registry: RedisSessionRegistry;
  let count = 0;

  beforeAll(async () => {
    server = await startRedis();
    redis = createRedis({ url: server.url, connectionName: 'test' });
    await redis.connect();
  });

  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  beforeEach(() => {
    prefix = `t${count++}`;
    registry = new RedisSessionRegistry({ redis, prefix });
  });

  const runId = async (): Promise<string> => (await registry.look()).runId;

  describe('Sessions', () => {
    it('a worker process is a session: registered by its Hello, with the lease it was granted', async () => {
      const epoch = await welcome(registry);

      const record = await registry.get('session-a');
      expect(record).toMatchObject({
        session: 'session-a',
        worker: 'worker-1',
        state: 'alive',
        epoch,
        firstEpoch: epoch,
        helloNumber: 1,
        leaseMs: 12_000,
        renewals: 1,
        draining: false,
        scheduler: 'scheduler-1',
        freeSlots: 4,
        death: undefined,
      });
      expect(record?.info).toEqual(aHello().info);
    });

    it('gives each accepted Hello a growing epoch', async () => {
      const first = await welcome(registry);
      const second = await welcome(registry, { number: 2, hasRun: true });
      const other = await welcome(registry, { session: 'session-b', worker: 'worker-2' });

      expect(second).toBeGreaterThan(first);
      expect(other).toBeGreaterThan(second);
      expect(await registry.get('session-a')).toMatchObject({ firstEpoch: first, epoch: second, renewals: 2 });
    });

    it('refuses a Hello that is not higher than the highest seen (STALE_HELLO)', async () => {
      await welcome(registry, { number: 5 });

      expect(await registry.hello(aHello({ number: 4 }))).toEqual({ status: 'stale_hello', highest: 5 });
      expect(await registry.hello(aHello({ number: 5, scheduler: 'scheduler-2' }))).toEqual({
        status: 'stale_hello',
        highest: 5,
      });
      expect(await registry.get('session-a')).toMatchObject({ renewals: 1, scheduler: 'scheduler-1' });
    });

    it('answers the same Hello from the same scheduler, sent twice, with the same epoch', async () => {
      const epoch = await welcome(registry);

      expect(await welcome(registry)).toBe(epoch);
      expect(await registry.get('session-a')).toMatchObject({ renewals: 1 });
    });

    it('dead is for ever: so is a session that has run before and that nobody knows', async () => {
      expect(await registry.hello(aHello({ hasRun: true }))).toEqual({
        status: 'session_dead',
        reason: 'unregistered',
      });
      expect(await registry.renew([aRenewal('session-a', 7)])).toEqual([
        { status: 'session_dead', reason: 'unregistered' },
      ]);
      expect(await registry.get('session-a')).toBeUndefined();
    });

    it('dead is for ever: neither renewed nor welcomed', async () => {
      const epoch = await welcome(registry);
      const death = await registry.declareGone('session-a', 'process_ended');

      const dead = { status: 'session_dead', reason: 'process_ended' };
      expect(await registry.renew([aRenewal('session-a', epoch)])).toEqual([dead]);
      expect(await registry.hello(aHello({ number: 2, hasRun: true }))).toEqual(dead);
      expect(await registry.hello(aHello())).toEqual(dead);
      expect((await registry.get('session-a'))?.death).toEqual(death);
    });

    it('renews a batch in order and answers each', async () => {
      const epoch = await welcome(registry);
      await welcome(registry, { session: 'session-b', worker: 'worker-2' });
      await registry.declareGone('session-b', 'left');

      const replies = await registry.renew([
        aRenewal('session-b', epoch + 1),
        aRenewal('session-a', epoch),
        aRenewal('session-x', epoch),
      ]);

      expect(replies).toEqual([
        { status: 'session_dead', reason: 'left' },
        { status: 'alive', draining: false, superseded: undefined },
        { status: 'session_dead', reason: 'unregistered' },
      ]);
      expect(await registry.get('session-a')).toMatchObject({ renewals: 2, freeSlots: 3, memoryUsedBytes: 1_000 });
    });

    it('renews more than one batch', async () => {
      const epochs: number[] = [];
      for (let i = 0; i < 260; i++) {
        epochs.push(await welcome(registry, { session: `session-${i}`, worker: `worker-${i}` }));
      }

      const replies = await registry.renew(epochs.map((epoch, i) => aRenewal(`session-${i}`, epoch)));

      expect(replies).toHaveLength(260);
      expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set(['alive']));
    });

    it('does not renew by a heartbeat that names an older Welcome', async () => {
      const old = await welcome(registry);
      const epoch = await welcome(registry, { number: 2, hasRun: true });

      expect(await registry.renew([aRenewal('session-a', old)])).toEqual([{ status: 'stale_epoch', epoch }]);
      expect(await registry.get('session-a')).toMatchObject({ renewals: 2 });
    });

    it('takes over an epoch above the one it knows: the Hello was in a lost tail', async () => {
      const epoch = await welcome(registry);
      const lost = epoch + 100_000_000;

      expect(await registry.renew([aRenewal('session-a', lost)])).toMatchObject([{ status: 'alive' }]);
      expect(await welcome(registry, { number: 2, hasRun: true })).toBeGreaterThan(lost);
    });

    it('growing numbers grow also after a lost tail: epoch and term are at least the time in ms', async () => {
      const before = await welcome(registry);
      const term = await registry.mintTerm('leader');
      await redis.del(`${controlKeys(prefix).base}epoch`, controlKeys(prefix).term);

      expect(await welcome(registry, { session: 'session-b' })).toBeGreaterThanOrEqual(before);
      expect(await registry.mintTerm('leader')).toBeGreaterThanOrEqual(term);
    });

    it('growing numbers grow also when the time of Redis lies behind them', async () => {
      const base = controlKeys(prefix).base;
      await redis.set(`${base}epoch`, '9000000000000');
      await redis.hset(`${base}term`, 'term', '9000000000000');

      expect(await welcome(registry)).toBe(9_000_000_000_001);
      expect(await registry.mintTerm('leader')).toBe(9_000_000_000_001);
    });
  });

  describe('Superseding', () => {
    it('lets a new session take the place with its first heartbeat, not with its Hello', async () => {
      const old = await welcome(registry);
      await registry.renew([aRenewal('session-a', old)]);
      const epoch = await welcome(registry, { session: 'session-b' });

      expect((await registry.ofWorker('worker-1'))?.session).toBe('session-a');
      expect(await registry.renew([aRenewal('session-a', old)])).toMatchObject([{ status: 'alive' }]);
      expect(await registry.renew([aRenewal('session-b', epoch)])).toEqual([
        { status: 'alive', draining: false, superseded: 'session-a' },
      ]);
      expect((await registry.ofWorker('worker-1'))?.session).toBe('session-b');
      expect(await registry.renew([aRenewal('session-b', epoch)])).toEqual([
        { status: 'alive', draining: false, superseded: undefined },
      ]);
    });

    it('neither renews nor welcomes the superseded one', async () => {
      const old = await welcome(registry);
      await registry.renew([aRenewal('session-a', old)]);
      await registry.renew([aRenewal('session-b', await welcome(registry, { session: 'session-b' }))]);

      const superseded = { status: 'superseded', bySession: 'session-b' };
      expect(await registry.renew([aRenewal('session-a', old)])).toEqual([superseded]);
      expect(await registry.hello(aHello({ number: 2, hasRun: true }))).toEqual(superseded);
      expect(await registry.get('session-a')).toMatchObject({ state: 'superseded', renewals: 2 });
    });

    it('supersedes the one whose first epoch is lower, even if its heartbeat comes later', async () => {
      const early = await welcome(registry, { session: 'session-early' });
      const late = await welcome(registry, { session: 'session-late' });
      await registry.renew([aRenewal('session-late', late)]);
      const again = await registry.hello(aHello({ session: 'session-early', number: 2, hasRun: true }));
      expect(again).toMatchObject({ status: 'welcome' });

      expect(await registry.renew([aRenewal('session-early', late + 1_000_000)])).toEqual([
        { status: 'superseded', bySession: 'session-late' },
      ]);
      expect(early).toBeLessThan(late);
      expect((await registry.ofWorker('worker-1'))?.session).toBe('session-late');
    });

    it('gives the superseded jobs back for free when it says Gone(superseded), as losses without that word', async () => {
      const term = await registry.mintTerm('leader');
      for (const session of ['session-a', 'session-b', 'session-c']) {
        await registry.renew([aRenewal(session, await welcome(registry, { session }))]);
      }

      expect(await registry.declareGone('session-a', 'superseded')).toMatchObject({ losses: 0, pools: ['default'] });
      const verdict = { session: 'session-b', term, renewals: 2, runId: await runId(), reason: 'silent' as const };
      expect(await registry.declareDead(verdict)).toMatchObject({ losses: 4, reason: 'silent' });
    });
  });

  describe('Death', () => {
    it('is a fact, declared once: the first one stands', async () => {
      await welcome(registry);
      const term = await registry.mintTerm('leader');

      const first = await registry.declareGone('session-a', 'process_ended');
      expect(first).toMatchObject({ session: 'session-a', worker: 'worker-1', losses: 4, reason: 'process_ended' });
      expect(await registry.declareGone('session-a', 'left')).toEqual(first);
      const verdict = { session: 'session-a', term, renewals: 1, runId: await runId(), reason: 'silent' as const };
      expect(await registry.declareDead(verdict)).toEqual(first);
      expect(await registry.declareDead(verdict)).toEqual(first);
    });

    it('does not know the last will of a session that nobody knows', async () => {
      expect(await registry.declareGone('session-x', 'process_ended')).toBeUndefined();
    });

    it('does not declare dead what was renewed since the look it was judged by', async () => {
      const epoch = await welcome(registry);
      const term = await registry.mintTerm('leader');
      const verdict = { session: 'session-a', term, renewals: 1, runId: await runId(), reason: 'silent' as const };
      await registry.renew([aRenewal('session-a', epoch)]);

      expect(await registry.declareDead(verdict)).toBe('renewed');
      expect(await registry.get('session-a')).toMatchObject({ state: 'alive' });
      expect(await registry.declareDead({ ...verdict, session: 'session-x' })).toBe('unknown');
    });

    it('is refused when it was judged on another server', async () => {
      await welcome(registry);
      const term = await registry.mintTerm('leader');
      const runIdOfAnother = '0'.repeat(40);

      await expect(
        registry.declareDead({ session: 'session-a', term, renewals: 1, runId: runIdOfAnother, reason: 'silent' }),
      ).rejects.toBeInstanceOf(OtherServerError);
      expect(await registry.get('session-a')).toMatchObject({ state: 'alive' });
    });

    it('enters a session as dead that only a gate knows', async () => {
      const term = await registry.mintTerm('leader');
      const verdict = {
        session: 'session-x',
        term,
        renewals: 0,
        runId: await runId(),
        reason: 'unregistered' as const,
      };

      const death = await registry.declareDead(verdict);
      expect(death).toMatchObject({ session: 'session-x', reason: 'unregistered', pools: [] });
      expect(await registry.declareDead(verdict)).toEqual(death);
      expect(await registry.hello(aHello({ session: 'session-x' }))).toMatchObject({ status: 'session_dead' });

      await welcome(registry);
      expect(await registry.declareDead({ ...verdict, session: 'session-a' })).toBe('renewed');
    });

    it('is forgotten after a while, unless a gate still names it', async () => {
      const quick = new RedisSessionRegistry({ redis, prefix, deadKeptMs: 0 });
      for (const session of ['session-a', 'session-b', 'session-c']) {
        await registry.renew([aRenewal(session, await welcome(registry, { session, worker: session }))]);
      }
      await registry.declareGone('session-a', 'left');
      await registry.declareGone('session-b', 'left');

      expect(await registry.forget(new Set())).toBe(0);
      expect(await quick.forget(new Set(['session-b']))).toBe(1);
      expect(await quick.forget(new Set(['session-b']))).toBe(0);
      expect(await registry.get('session-a')).toBeUndefined();
      expect(await registry.ofWorker('session-a')).toBeUndefined();
      expect(await registry.get('session-b')).toMatchObject({ state: 'dead' });
      expect(await registry.get('session-c')).toMatchObject({ state: 'alive' });
    });
  });

  describe('The term', () => {
    it('grows, and names the leader', async () => {
      expect(await registry.currentTerm()).toBeUndefined();
      const first = await registry.mintTerm('leader-1');
      const second = await registry.mintTerm('leader-2');

      expect(second).toBeGreaterThan(first);
      expect(await registry.currentTerm()).toEqual({ term: second, leader: 'leader-2' });
    });

    it('refuses an old one (STALE_TERM)', async () => {
      await welcome(registry);
      const old = await registry.mintTerm('leader-1');
      const term = await registry.mintTerm('leader-2');
      const verdict = { session: 'session-a', renewals: 1, runId: await runId(), reason: 'silent' as const };

      await expect(registry.declareDead({ ...verdict, term: old })).rejects.toBeInstanceOf(StaleTermError);
      expect(await registry.get('session-a')).toMatchObject({ state: 'alive' });
      expect(await registry.declareDead({ ...verdict, term })).toMatchObject({ reason: 'silent' });
    });

    it('takes over one above the stored one: its minting was in a lost tail', async () => {
      await welcome(registry);
      const term = (await registry.mintTerm('leader-1')) + 1_000;
      const verdict = { session: 'session-a', renewals: 1, runId: await runId(), reason: 'silent' as const };

      expect(await registry.declareDead({ ...verdict, term })).toMatchObject({ reason: 'silent' });
      expect(await registry.currentTerm()).toMatchObject({ term });
    });
  });

  describe('wedged', () => {
    it('is shown as the last renewal said it', async () => {
      const epoch = await welcome(registry);
      expect((await registry.get('session-a'))?.wedged).toBe(false);

      const both = [{ ...aRenewal('session-a', epoch), wedged: true }, aRenewal('session-b', epoch)];
      expect(await registry.renew(both)).toMatchObject([{ status: 'alive' }, { status: 'session_dead' }]);
      expect((await registry.look()).sessions).toMatchObject([{ session: 'session-a', wedged: true, freeSlots: 3 }]);
      await registry.renew([aRenewal('session-a', epoch)]);
      expect((await registry.get('session-a'))?.wedged).toBe(false);
    });
  });

  describe('drain', () => {
    it('is told with each renewal and each Welcome', async () => {
      const epoch = await welcome(registry);
      expect(await registry.drain('worker-1')).toBe('unknown');
      await registry.renew([aRenewal('session-a', epoch)]);

      expect(await registry.drain('worker-1')).toBe('draining');
      expect(await registry.drain('worker-1')).toBe('draining');
      expect(await registry.renew([aRenewal('session-a', epoch)])).toMatchObject([{ draining: true }]);
      expect(await registry.hello(aHello({ number: 2 }))).toMatchObject({ status: 'welcome', draining: true });
      await registry.declareGone('session-a', 'left');
      expect(await registry.drain('worker-1')).toBe('unknown');
    });
  });
});
