import { sleep, systemClock } from '@orchestrator/core';

import type { Lease, Lock } from '../lock.js';
import { abortWithin } from './lock-bench.js';

export interface LockUnderTest {
  /** A lock as another process would have it. */
  newLock(): Lock;
  /** Who holds it, as the store sees it: the token of a majority. */
  holder(name: string): Promise<string | undefined>;
  /** The store forgets it, as when the lease has expired. */
  expire(name: string): Promise<void>;
  ttlMs: number;
}

const NEVER = new AbortController().signal;

/** What every implementation of the port must do. `setup` is called once. */
export function exerciseLock(setup: () => Promise<LockUnderTest>): void {
  let under: LockUnderTest;
  let first: Lock;
  let second: Lock;
  let name: string;
  let count = 0;

  beforeAll(async () => {
    under = await setup();
    first = under.newLock();
    second = under.newLock();
  });

  beforeEach(() => {
    name = `lock-${count++}`;
  });

  const held = async (lock: Lock): Promise<Lease> => {
    const lease = await lock.tryAcquire(name);
    if (lease === undefined) {
      throw new Error(`expected to get ${name}`);
    }
    return lease;
  };

  it('is held by one at a time', async () => {
    const lease = await held(first);

    expect(await under.holder(name)).toBe(lease.token);
    expect(lease.remainingMs()).toBeGreaterThan(under.ttlMs / 2);
    expect(lease.remainingMs()).toBeLessThan(under.ttlMs);
    expect(await second.tryAcquire(name)).toBeUndefined();
    expect(await first.tryAcquire(name)).toBeUndefined();
    await lease.release();
    expect(await under.holder(name)).toBeUndefined();
    const next = await held(second);
    await next.release();
  });

  it('ends the lease and its signal with the release, which may be repeated', async () => {
    const lease = await held(first);

    await lease.release();
    await lease.release();

    expect(lease.signal.aborted).toBe(true);
    expect(lease.remainingMs()).toBe(0);
  });

  it('extends its lease by itself', async () => {
    const lease = await held(first);

    await sleep(systemClock, 2.5 * under.ttlMs);

    expect(lease.signal.aborted).toBe(false);
    expect(lease.remainingMs()).toBeGreaterThan(0);
    expect(await second.tryAcquire(name)).toBeUndefined();
    await lease.release();
  });

  it('aborts the signal when the lock is lost', async () => {
    const lease = await held(first);

    await under.expire(name);

    await abortWithin(lease.signal, under.ttlMs);
    expect(lease.signal.reason).toMatchObject({ code: 'LEASE_ENDED', why: 'lost' });
  });

  it("does not let a stalled ex-holder release or extend its successor's lock", async () => {
    const stalled = await held(first);
    await under.expire(name);
    const successor = await held(second);

    await stalled.release();
    expect(await under.holder(name)).toBe(successor.token);

    const stalledAgain = successor;
    await under.expire(name);
    const heir = await held(first);
    await abortWithin(stalledAgain.signal, under.ttlMs);
    expect(await under.holder(name)).toBe(heir.token);
    await heir.release();
  });

  it('waits in acquire until it is free', async () => {
    const lease = await held(first);
    const waiting = second.acquire(name, NEVER);

    await lease.release();

    const next = await waiting;
    expect(await under.holder(name)).toBe(next?.token);
    await next?.release();
  });

  it('gives up waiting when the signal aborts', async () => {
    const lease = await held(first);
    const giveUp = new AbortController();
    const waiting = second.acquire(name, giveUp.signal);

    giveUp.abort();

    expect(await waiting).toBeUndefined();
    await lease.release();
  });

  it('never has two holders in a race', async () => {
    const contenders = [first, second, under.newLock(), under.newLock()];
    let holding = 0;
    let most = 0;
    const turns = contenders.flatMap((lock) =>
      Array.from({ length: 3 }, async () => {
        const lease = await lock.acquire(name, NEVER);
        most = Math.max(most, ++holding);
        await new Promise((resolve) => setImmediate(resolve));
        holding--;
        await lease?.release();
      }),
    );

    await Promise.all(turns);

    expect(most).toBe(1);
  });

  it('releases what it holds when it is closed, and gives nothing more', async () => {
    const closing = under.newLock();
    const lease = await held(closing);

    await closing.close();

    expect(lease.signal.aborted).toBe(true);
    expect(await under.holder(name)).toBeUndefined();
    expect(await closing.tryAcquire(name)).toBeUndefined();
    expect(await closing.acquire(name, NEVER)).toBeUndefined();
  });
}
