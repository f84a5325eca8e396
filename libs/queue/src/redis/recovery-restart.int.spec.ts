import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock, systemRandom } from '@orchestrator/core';
import { createRedis } from '@orchestrator/redis';
import { usesContainers } from '@orchestrator/testing';

import { Queue } from '../queue.js';
import { type ClaimReply, RECOVERY_MIN_MS } from '../store.js';
import { aJob } from '../testing/a-job.js';
import { success } from '../testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from '../testing/setup.js';
import { RedisQueueStore } from './redis-queue-store.js';

const BACK_WITHIN_MS = 10_000;

describe('Recovery of a pool, by a real restart of Redis', () => {
  let bench: QueueBench;
  let q: QueueSetup;
  let store: RedisQueueStore;
  let disconnect: () => void;

  beforeEach(async () => {
    // With `everysec` a busy disk may postpone a write, and the kill would lose what a test counts on.
    bench = await startBench({ persistent: true, args: ['--appendfsync', 'always'] });
    q = bench.setup();
    const redis = createRedis({ url: bench.server.url, connectionName: 'recovery', onError: () => undefined });
    disconnect = () => redis.disconnect();
    store = new RedisQueueStore({ redis, clock: systemClock, random: systemRandom, prefix: q.prefix });
  });
  afterEach(async () => {
    await q.assertInvariants();
    disconnect();
    await bench.stop();
  });

  async function restart(beforeStart: () => void = () => undefined): Promise<void> {
    await bench.server.signal('SIGKILL');
    beforeStart();
    await bench.server.restart();
    await isBack();
  }

  /** The test's own connection gives up soon, and makes itself anew. */
  async function isBack(): Promise<void> {
    for (const end = performance.now() + BACK_WITHIN_MS; ;) {
      try {
        return void (await q.redis.ping());
      } catch (error) {
        if (performance.now() > end) {
          throw error;
        }
      }
    }
  }

  const claim = (session: string, epoch: number): Promise<ClaimReply> =>
    store.claim(q.pool, [aWant(session, { epoch, max: 9 })]);

  it('claims nothing until each session has made the last chunk of a reconcile or is dead', async () => {
    await q.add(aJob(), aJob());
    await q.openGate('a');
    await q.openGate('b');
    const [held] = (await store.claim(q.pool, [aWant('a')])).jobs;
    await restart();

    expect((await claim('a', 1)).recovery).toMatchObject({ begun: false });
    expect(await store.enqueue(q.pool, [aJob()])).toMatchObject([{ state: 'queued' }]); // only claims are held up
    expect(await store.beginRecovery(q.pool, ['c'])).toMatchObject({ begun: true });
    const epoch = await q.now();
    const hello = { worker: 'w', epoch, held: [{ ...held!, state: 'running' as const }], session: 'a' };

    await store.reconcile(q.pool, { ...hello, last: false });
    expect((await claim('a', epoch)).recovery?.awaited.sort()).toEqual(['a', 'b', 'c']);
    expect((await store.reconcile(q.pool, { ...hello, last: true })).verdicts).toEqual(['held']);
    await q.letRecoveryAge();
    expect((await claim('a', epoch)).recovery?.awaited.sort()).toEqual(['b', 'c']);
    expect((await store.gates(q.pool)).get('c')).toBe(0); // the sweep sees to it although it has no gate
    await store.reclaim(q.pool, { session: 'b', losses: 1, reason: 'silence' });
    await store.reclaim(q.pool, { session: 'c', losses: 1, reason: 'silence' });

    const reply = await claim('a', epoch);
    expect(reply.recovery).toBeUndefined();
    expect(reply.jobs).toHaveLength(2);
    expect(await q.redis.hexists(`${q.base}calls`, 'recovering')).toBe(0);
    expect(await store.settle(q.pool, [success(held!)])).toEqual(['accepted']);
  });

  it('takes RECOVERY_MIN_MS at least, and promotes meanwhile', async () => {
    await q.add(aJob({ delayMs: 60_000 }));
    await q.openGate('a');
    await restart();
    await store.beginRecovery(q.pool, []);
    const epoch = await q.now();
    await store.reconcile(q.pool, { session: 'a', worker: 'w', epoch, held: [], last: true });
    await q.makeDue();
    await q.redis.hset(`${q.base}calls`, 'recovering', await q.now()); // however long it took until here

    const tooEarly = await claim('a', epoch);
    expect(tooEarly.recovery).toMatchObject({ begun: true, awaited: [] });
    expect(tooEarly.recovery?.notBeforeMs).toBeGreaterThan(0);
    expect(await store.promote(q.pool)).toMatchObject({ moved: 1 });
    await q.letRecoveryAge();
    expect((await claim('a', epoch)).jobs).toHaveLength(1);
  });

  it('is not prolonged by a clock that jumped back', async () => {
    await q.add(aJob());
    await restart();
    await store.beginRecovery(q.pool, []);
    await q.redis.hset(`${q.base}calls`, 'recovering', (await q.now()) + 3_600_000);

    expect((await store.recovery(q.pool))?.notBeforeMs).toBe(RECOVERY_MIN_MS);
    await claim('a', 1);

    const since = Number(await q.redis.hget(`${q.base}calls`, 'recovering'));
    expect(since).toBeLessThanOrEqual(await q.now());
  });

  it('awaits a session still that says what it knew before: it may have been overtaken by what was lost', async () => {
    await q.add(aJob());
    await q.openGate('a', 5);
    await restart();
    await store.beginRecovery(q.pool, []);
    const says = { session: 'a', worker: 'w', held: [], last: true };

    await store.reconcile(q.pool, { ...says, epoch: (await q.now()) - 60_000 });
    expect((await store.recovery(q.pool))?.awaited).toEqual(['a']);

    await store.reconcile(q.pool, { ...says, epoch: await q.now() });
    expect((await store.recovery(q.pool))?.awaited).toEqual([]);
  });

  it('counts each epoch when its time is over: clocks of two servers may differ', async () => {
    await q.add(aJob());
    await q.openGate('a', 5);
    await restart();
    await store.beginRecovery(q.pool, []);
    await q.letRecoveryAge();

    await store.reconcile(q.pool, { session: 'a', worker: 'w', held: [], last: true, epoch: 6 });

    expect(await store.recovery(q.pool)).toBeUndefined();
  });

  it('lets a Queue go on: it adds, waits and counts over a restart', async () => {
    await using queue = new Queue({ redis: bench.server.url, pool: q.pool, prefix: q.prefix });
    const id = await queue.add('before', { command: 'true' });
    await q.openGate('a');
    const [held] = (await store.claim(q.pool, [aWant('a')])).jobs;
    const waiting = queue.waitUntilFinal(id, { timeoutMs: 20_000 });
    await restart();

    await queue.add('after', { command: 'true' });
    expect(await queue.counts()).toMatchObject({ running: 1, queued: 1 });
    expect(await store.settle(q.pool, [success(held!)])).toEqual(['accepted']);

    expect((await waiting).state).toBe('succeeded');
  });

  // A container's files are not ours.
  (usesContainers() ? it.skip : it)('adopts what an append-only file without its end does not know', async () => {
    await q.add(aJob(), aJob());
    await q.openGate('a');
    const file = await appendOnlyFile();
    const before = statSync(file).size;
    const [held] = (await store.claim(q.pool, [aWant('a')])).jobs;
    expect(statSync(file).size).toBeGreaterThan(before);

    await restart(() => truncateSync(file, before));

    expect(await q.state(held!.ulid)).toBe('queued');
    expect(await store.beginRecovery(q.pool, [])).toMatchObject({ begun: true, awaited: ['a'] });
    const epoch = await q.now();
    const attempts = [{ ...held!, state: 'running' as const }];
    const reply = await store.reconcile(q.pool, { session: 'a', worker: 'w', epoch, held: attempts, last: true });
    expect(reply).toMatchObject({ verdicts: ['held'], adopted: 1 });
    await q.letRecoveryAge();
    expect((await claim('a', epoch)).jobs.map(({ ulid }) => ulid)).not.toContain(held!.ulid);
    expect(await store.settle(q.pool, [success(held!)])).toEqual(['accepted']);
  });

  async function appendOnlyFile(): Promise<string> {
    const [, folder = ''] = await q.redis.config('GET', 'dir');
    const [, name = ''] = await q.redis.config('GET', 'appenddirname');
    const found = readdirSync(join(folder, name)).find((one) => one.endsWith('.incr.aof'));
    return join(folder, name, found ?? 'none');
  }
});
