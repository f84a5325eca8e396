import { createRedis } from '@orchestrator/redis';
import { ManualClock, startFaultProxy } from '@orchestrator/testing';

import type { NewsEvent } from './news.js';
import { QueueNews } from './queue-news.js';
import { aJob } from './testing/a-job.js';
import { success } from './testing/an-end.js';
import { type QueueBench, type QueueSetup, startBench } from './testing/setup.js';

describe('QueueNews', () => {
  let bench: QueueBench;
  let q: QueueSetup;
  let redis: ReturnType<typeof createRedis>;
  let news: QueueNews;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(() => {
    q = bench.setup();
    redis = createRedis({ url: bench.server.url, connectionName: 'news' });
    news = new QueueNews({ redis, prefix: q.prefix });
  });
  afterEach(() => {
    news.close();
    redis.disconnect();
  });
  afterAll(() => bench.stop());

  /** Resolves when Redis counts so many subscribers of the pool. */
  async function subscribers(count: number): Promise<void> {
    for (;;) {
      const [, found] = (await q.redis.pubsub('NUMSUB', q.keys.news(q.pool))) as [string, number];
      if (Number(found) === count) {
        return;
      }
    }
  }

  it('tells what happens to a job', async () => {
    const heard: NewsEvent[] = [];
    const done = new Promise<void>((resolve) => {
      news.subscribe(q.pool, (events, pool) => {
        expect(pool).toBe(q.pool);
        heard.push(...events);
        if (events.some((event) => event.type === 'succeeded')) {
          resolve();
        }
      });
    });
    await subscribers(1);

    const job = await q.run();
    await q.store.settle(q.pool, [success(job)]);
    await done;

    expect(heard.map((event) => [event.type, event.ulid])).toEqual([
      ['queued', job.ulid],
      ['started', job.ulid],
      ['succeeded', job.ulid],
    ]);
  });

  it('tells of entries with a wanted event only, whatever else is in them', async () => {
    const heard: NewsEvent[][] = [];
    news.subscribe(q.pool, (events) => heard.push(events), ['succeeded']);
    const all = new Promise<void>((resolve) => {
      news.subscribe(q.pool, (events) => events.some(({ type }) => type === 'succeeded') && resolve());
    });
    await subscribers(1);

    const job = await q.run();
    await q.store.settle(q.pool, [success(job)]);
    await all;

    expect(heard.map((events) => events.map(({ type, ulid }) => [type, ulid]))).toEqual([[['succeeded', job.ulid]]]);
  });

  it('goes on after the connection was lost, also with what was asked for meanwhile', async () => {
    const first = jest.fn();
    news.subscribe('other', first);
    await new Promise((resolve) => redis.once('ready', resolve));
    const closed = new Promise((resolve) => redis.once('close', resolve));
    await q.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await q.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await closed;

    const heard = new Promise<NewsEvent[]>((resolve) => void news.subscribe(q.pool, resolve));
    await subscribers(1);
    const job = aJob();
    await q.add(job);

    expect(await heard).toMatchObject([{ type: 'queued', ulid: job.ulid }]);
    expect(await q.redis.pubsub('NUMSUB', q.keys.news('other'))).toEqual([q.keys.news('other'), 1]);
  });

  it('says nothing to a listener that has left, and leaves the channel with the last one', async () => {
    const left = jest.fn();
    const leaveFirst = news.subscribe(q.pool, left);
    const heard = new Promise((resolve) => void news.subscribe(q.pool, resolve));
    await subscribers(1);

    leaveFirst();
    leaveFirst();
    await q.add(aJob());
    await heard;

    expect(left).not.toHaveBeenCalled();
    news.close();
    await subscribers(0);
  });

  it('tells the others when a listener fails', async () => {
    news.subscribe(q.pool, () => {
      throw new Error('broken listener');
    });
    const heard = new Promise((resolve) => void news.subscribe(q.pool, resolve));
    await subscribers(1);

    await q.add(aJob());

    await expect(heard).resolves.toBeDefined();
  });

  it('makes a connection again that has become silent, and hears what comes then', async () => {
    const proxy = await startFaultProxy(bench.server.port);
    const clock = new ManualClock();
    const silent = createRedis({ url: proxy.url, connectionName: 'news' });
    const listening = new QueueNews({ redis: silent, prefix: q.prefix, clock });
    try {
      await silent.connect();
      const heard = new Promise((resolve) => listening.subscribe(q.pool, resolve));
      await subscribers(1);
      const closed = new Promise((resolve) => silent.once('close', resolve));

      const lost = proxy.loseAnswers();
      clock.advance(2_000);
      await lost;
      clock.advance(2_000);

      await closed;
      proxy.heal();
      await new Promise((resolve) => silent.once('ready', resolve));
      await subscribers(1);
      await q.add(aJob());
      await heard;
    } finally {
      listening.close();
      silent.disconnect();
      await proxy.stop();
    }
    expect(clock.pendingTimers).toBe(0);
  });
});
