import { type Clock, systemClock, systemRandom } from '@orchestrator/core';
import { createRedis } from '@orchestrator/redis';
import { silentLogger } from '@orchestrator/telemetry';

import { LockUnavailableError } from './errors.js';
import type { Lease } from './lock.js';
import * as lua from './lua.js';
import { lockKey, RedlockLock } from './redlock-lock.js';
import { exerciseLock } from './testing/lock.conformance.js';
import { abortWithin, type LockBench, startLockBench, TTL_MS } from './testing/lock-bench.js';

const NAME = 'leader';
const KEY = lockKey(NAME);

async function held(lock: RedlockLock): Promise<Lease> {
  const lease = await lock.tryAcquire(NAME);
  if (lease === undefined) {
    throw new Error('expected to get the lock');
  }
  return lease;
}

describe.each([1, 3, 5])('RedlockLock over %d nodes', (nodes) => {
  let bench: LockBench;

  afterAll(() => bench.stop());

  exerciseLock(async () => {
    bench = await startLockBench(nodes);
    return {
      ttlMs: TTL_MS,
      newLock: () => bench.newLock(),
      async holder(name) {
        const tokens = await bench.holders(lockKey(name));
        return tokens.find(
          (token) => token !== null && tokens.filter((other) => other === token).length > nodes / 2,
        ) as string | undefined;
      },
      expire: (name) => bench.remove(lockKey(name)),
    };
  });
});

describe('RedlockLock', () => {
  const stops: (() => Promise<void>)[] = [];

  afterEach(async () => {
    await Promise.all(stops.splice(0).map((stop) => stop()));
  });

  async function setup(nodes: number, args: string[] = []) {
    const bench = await startLockBench(nodes, { args });
    stops.push(() => bench.stop());
    return bench;
  }

  it.each([0, 2, 4, 6])('refuses %d nodes', (count) => {
    const nodes = Array.from({ length: count }, () =>
      createRedis({ url: 'redis://127.0.0.1:1', connectionName: 'lock' }),
    );

    expect(() => new RedlockLock({ nodes, clock: systemClock, random: systemRandom, logger: silentLogger })).toThrow(
      `lock.nodes has ${count} connections: expected 1, 3 or 5 different, independent Redis nodes`,
    );
  });

  it('refuses one connection given three times', () => {
    const node = createRedis({ url: 'redis://127.0.0.1:1', connectionName: 'lock' });
    const nodes = [node, node, node];

    expect(() => new RedlockLock({ nodes, clock: systemClock, random: systemRandom, logger: silentLogger })).toThrow(
      'lock.nodes has 1 connections',
    );
  });

  it('sends each script twice to the same effect, and compares the token', async () => {
    const { servers } = await setup(1);
    const url = servers[0]?.url ?? '';
    const node = createRedis({ url, connectionName: 'lock' });
    stops.push(() => Promise.resolve(node.disconnect()));
    await node.connect();

    expect([
      await node.eval(lua.acquire, 1, KEY, 0, 'a', 5_000),
      await node.eval(lua.acquire, 1, KEY, 0, 'a', 5_000),
    ]).toEqual([1, 1]);
    expect(await node.eval(lua.acquire, 1, KEY, 0, 'b', 5_000)).toBe(0);
    expect([
      await node.eval(lua.extend, 1, KEY, 0, 'a', 9_000),
      await node.eval(lua.extend, 1, KEY, 0, 'a', 9_000),
    ]).toEqual([1, 1]);
    expect(await node.eval(lua.extend, 1, KEY, 0, 'b', 99_000)).toBe(0);
    expect(await node.pttl(KEY)).toBeLessThanOrEqual(9_000);
    expect(await node.eval(lua.release, 1, KEY, 0, 'b')).toBe(0);
    expect([await node.eval(lua.release, 1, KEY, 0, 'a'), await node.eval(lua.release, 1, KEY, 0, 'a')]).toEqual([
      1, 0,
    ]);
    expect(await node.eval(lua.extend, 1, KEY, 0, 'a', 9_000)).toBe(0);
  });

  it('works in a full Redis', async () => {
    const bench = await setup(1, ['--maxmemory', '1kb', '--maxmemory-policy', 'noeviction']);
    const lease = await held(bench.newLock());
    await expect(bench.servers[0]?.client().set('x', 'y')).rejects.toThrow(/OOM/);

    const before = lease.remainingMs();
    await extension(lease, before);

    expect(lease.signal.aborted).toBe(false);
    await lease.release();
    expect(await bench.holders(KEY)).toEqual([null]);
  });

  it('stays in the database of its connection', async () => {
    const bench = await setup(1);

    const lease = await held(bench.newLock({ urlSuffix: '/3' }));

    expect(await bench.holders(KEY)).toEqual([null]);
    const probe = bench.servers[0]?.client();
    await probe?.select(3);
    expect(await probe?.get(KEY)).toBe(lease.token);
  });

  it('aborts the signal in time while Redis hangs', async () => {
    const bench = await setup(1);
    const lease = await held(bench.newLock());
    const [server] = bench.servers;
    const startMs = performance.now();

    await server?.signal('SIGSTOP');
    try {
      // An extension may have been done after the lease was got: at most one third of the ttl later.
      await abortWithin(lease.signal, TTL_MS * 1.5);
      expect(lease.signal.reason).toMatchObject({ why: 'expired' });
      expect(performance.now() - startMs).toBeLessThan(TTL_MS * 1.4);
      const releaseMs = performance.now();
      await lease.release();
      expect(performance.now() - releaseMs).toBeLessThan(TTL_MS);
    } finally {
      await server?.signal('SIGCONT');
    }
  });

  it('does not answer that it is free while nobody can be asked', async () => {
    const bench = await setup(1);
    const lock = bench.newLock();
    await (await held(lock)).release();
    const [server] = bench.servers;

    await server?.signal('SIGSTOP');
    try {
      await expect(lock.tryAcquire(NAME)).rejects.toBeInstanceOf(LockUnavailableError);
    } finally {
      await server?.signal('SIGCONT');
    }
    const lease = await lock.acquire(NAME, new AbortController().signal);
    expect(lease?.remainingMs()).toBeGreaterThan(0);
  });

  it('checks the validity that is left after acquiring, from before the call', async () => {
    const bench = await setup(1);
    let readings = 0;
    const slow: Clock = {
      ...systemClock,
      monotonicMs: () => systemClock.monotonicMs() + (readings++ === 0 ? 0 : TTL_MS * 0.6),
    };

    expect(await bench.newLock({ clock: slow }).tryAcquire(NAME)).toBeUndefined();

    expect(await bench.holders(KEY)).toEqual([null]);
  });

  it('trusts no lease after it was itself stopped for longer', async () => {
    const bench = await setup(1);
    let stoppedMs = 0;
    const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + stoppedMs };
    const lease = await held(bench.newLock({ clock }));

    stoppedMs = TTL_MS;

    expect(lease.remainingMs()).toBe(0);
    await abortWithin(lease.signal, TTL_MS);
    expect(lease.signal.reason).toMatchObject({ why: 'expired' });
  });

  it('is not moved by a jump of the wall clock', async () => {
    const bench = await setup(1);
    const lease = await held(bench.newLock());
    const now = Date.now.bind(Date);
    const jumped = jest.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
    try {
      await extension(lease, lease.remainingMs());

      expect(lease.signal.aborted).toBe(false);
    } finally {
      jumped.mockRestore();
    }
  });

  describe.each([3, 5])('over %d nodes', (nodes) => {
    const minority = (nodes - 1) / 2;

    it(`works with ${minority} down`, async () => {
      const bench = await setup(nodes);
      const lock = bench.newLock();
      const lease = await held(lock);
      await Promise.all(bench.servers.slice(0, minority).map((server) => server.signal('SIGKILL')));

      await extension(lease, lease.remainingMs());
      await lease.release();
      const again = await held(lock);

      const living = (await bench.holders(KEY)).slice(minority);
      expect(living).toEqual(living.map(() => again.token));
      expect(await bench.newLock().tryAcquire(NAME)).toBeUndefined();
    });

    it(`works with ${minority} that hang`, async () => {
      const bench = await setup(nodes);
      const lease = await held(bench.newLock());
      const hanging = bench.servers.slice(0, minority);
      await Promise.all(hanging.map((server) => server.signal('SIGSTOP')));
      try {
        await extension(lease, lease.remainingMs());
        expect(lease.signal.aborted).toBe(false);
      } finally {
        await Promise.all(hanging.map((server) => server.signal('SIGCONT')));
      }
    });

    it(`ends its lease and gives none with ${minority + 1} down, and recovers`, async () => {
      const bench = await setup(nodes);
      const lock = bench.newLock();
      const lease = await held(lock);
      await Promise.all(bench.servers.slice(0, minority + 1).map((server) => server.signal('SIGKILL')));

      await abortWithin(lease.signal, TTL_MS * 1.5);
      await expect(lock.tryAcquire(NAME)).rejects.toBeInstanceOf(LockUnavailableError);
      await bench.servers[0]?.restart();

      const again = await lock.acquire(NAME, new AbortController().signal);
      expect(again?.remainingMs()).toBeGreaterThan(0);
    });

    it('gives nobody the lock while it is split, and what was got in vain is given back', async () => {
      const bench = await setup(nodes);
      const others = bench.servers.slice(0, minority + 1);
      await Promise.all(others.map((server, i) => server.client().set(KEY, `somebody-${i}`, 'PX', TTL_MS * 100, 'NX')));

      expect(await bench.newLock().tryAcquire(NAME)).toBeUndefined();

      const left = await bench.holders(KEY);
      expect(left).toEqual(bench.servers.map((_, i) => (i <= minority ? `somebody-${i}` : null)));
    });
  });
});

/** Waits until the lease has been extended: more is left than was left before. */
async function extension(lease: Lease, beforeMs: number): Promise<void> {
  const untilMs = performance.now() + TTL_MS;
  let lastMs = beforeMs;
  while (performance.now() < untilMs && !lease.signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const remainingMs = lease.remainingMs();
    if (remainingMs > lastMs) {
      return;
    }
    lastMs = remainingMs;
  }
  throw new Error('the lease was not extended');
}
