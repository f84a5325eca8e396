import { InvalidValueError } from '@orchestrator/core';

import {
  JobNotFoundError,
  PartlyAddedError,
  QueueClosedError,
  StoreUnavailableError,
  WaitTimeoutError,
} from './errors.js';
import { Queue, type QueueOptions } from './queue.js';
import { failure, success } from './testing/an-end.js';
import { aWant, type QueueBench, type QueueSetup, startBench } from './testing/setup.js';

describe('Queue', () => {
  let bench: QueueBench;
  let q: QueueSetup;
  let queue: Queue;

  beforeAll(async () => {
    bench = await startBench();
  });
  beforeEach(() => {
    q = bench.setup();
    queue = open();
  });
  afterEach(async () => {
    await queue.close();
    await q.assertInvariants();
  });
  afterAll(() => bench.stop());

  const open = (overrides: Partial<QueueOptions> = {}): Queue =>
    new Queue({ redis: bench.server.url, prefix: q.prefix, ...overrides });
  /** Runs the head of the queue as a worker would. */
  const work = async (end: typeof success | typeof failure): Promise<void> => {
    await q.openGate('session-a');
    const { jobs } = await q.store.claim(q.pool, [aWant('session-a')]);
    await q.store.settle(
      q.pool,
      jobs.map((job) => end(job)),
    );
  };

  it('adds a job with what differs from the defaults, and gives it back', async () => {
    const id = await queue.add('report', {
      argv: ['make', 'report'],
      priority: 7,
      timeout: '15m',
      attempts: 3,
      backoff: { delay: 2, jitter: 'none' },
      retain: 60,
      labels: { team: 'blue' },
    });

    expect(await queue.getJob(id)).toMatchObject({
      id,
      pool: 'default',
      state: 'queued',
      spec: { name: 'report', argv: ['make', 'report'], priority: 7, timeoutMs: 900_000, labels: { team: 'blue' } },
      rule: { attempts: 3, retainMs: 60_000, backoff: { type: 'exponential', delayMs: 2_000, jitter: 'none' } },
    });
    expect(await q.store.pools()).toEqual(['default']);
  });

  it('adds many in pieces, in their order', async () => {
    const ids = await queue.addBulk(Array.from({ length: 600 }, (_, i) => ({ name: `job ${i}`, command: 'true' })));

    expect(new Set(ids).size).toBe(600);
    expect(await queue.counts()).toMatchObject({ queued: 600 });
    expect((await queue.getJob(ids[599] ?? ''))?.spec.name).toBe('job 599');
    expect(await q.store.position(q.pool, ids[599]?.split(':')[1] ?? '')).toBe(599);
  });

  it('writes nothing when one of many is not acceptable', async () => {
    const jobs = [{ name: 'good', command: 'true' }, { name: 'bad' }];

    await expect(queue.addBulk(jobs)).rejects.toThrow(InvalidValueError);

    expect(await queue.counts()).toMatchObject({ queued: 0 });
  });

  it('delays, cancels and retries', async () => {
    const id = await queue.add('later', { command: 'true', delay: '1h' });
    expect(await queue.counts()).toMatchObject({ scheduled: 1 });

    expect(await queue.cancel(id)).toBe('cancelled');
    expect(await queue.retry(id)).toBe('queued');
    expect(await queue.retry(id)).toBe('not_retryable');
  });

  it('works in a pool of its own and understands ids of others', async () => {
    const other = open({ pool: 'gpu', redis: q.redis });
    const id = await other.add('train', { command: 'true' });

    expect(id).toMatch(/^gpu:/);
    expect((await queue.getJob(id))?.pool).toBe('gpu');
    await other.close();
    expect(await q.redis.ping()).toBe('PONG');
  });

  it('refuses what is no id, and knows nothing of what is not there', async () => {
    await expect(queue.getJob('nonsense')).rejects.toThrow(InvalidValueError);
    await expect(queue.cancel('default:{x}')).rejects.toThrow(InvalidValueError);

    expect(await queue.getJob('default:01JD0000000000000000000000')).toBeUndefined();
    expect(await queue.cancel('default:01JD0000000000000000000000')).toBe('not_found');
  });

  describe('waitUntilFinal', () => {
    it('answers a job that is final already', async () => {
      const id = await queue.add('job', { command: 'true' });
      await work(success);

      expect(await queue.waitUntilFinal(id)).toMatchObject({ id, state: 'succeeded' });
    });

    it.each(['url', 'client'])('resolves when it ends, over a %s', async (kind) => {
      const own = open(kind === 'url' ? {} : { redis: q.redis });
      const id = await own.add('job', { command: 'false' });
      const waiting = own.waitUntilFinal(id, { timeoutMs: 10_000 });

      await work(failure);

      expect(await waiting).toMatchObject({ id, state: 'failed', end: { exitCode: 1 } });
      await own.close();
    });

    it('rejects when the time is over, when it is told to stop, and when there is no such job', async () => {
      const id = await queue.add('job', { command: 'true' });

      await expect(queue.waitUntilFinal(id, { timeoutMs: 0 })).rejects.toThrow(WaitTimeoutError);
      await expect(queue.waitUntilFinal(id, { timeoutMs: 20 })).rejects.toThrow(WaitTimeoutError);
      const stop = new AbortController();
      const waiting = queue.waitUntilFinal(id, { signal: stop.signal });
      stop.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
      const unknown = 'default:01JD0000000000000000000000';
      await expect(queue.waitUntilFinal(unknown)).rejects.toThrow(JobNotFoundError);
    });

    it('ends with the queue', async () => {
      const id = await queue.add('job', { command: 'true' });
      const waiting = expect(queue.waitUntilFinal(id)).rejects.toThrow(QueueClosedError);

      await queue.close();

      await waiting;
      await expect(queue.add('job', { command: 'true' })).rejects.toThrow(QueueClosedError);
      await queue.close();
    });
  });

  it('closes by itself at the end of a block', async () => {
    let used: Queue;
    {
      await using own = open();
      used = own;
      await own.add('job', { command: 'true' });
    }
    await expect(used.counts()).rejects.toThrow(QueueClosedError);
  });

  it('says which of many jobs were added when Redis goes away in between', async () => {
    const own = open({ redis: bench.server.client() });
    const jobs = Array.from({ length: 750 }, () => ({ name: 'job', command: 'true' }));
    await q.redis.config('SET', 'maxmemory', String(Number(await usedMemory()) + 150_000));

    const error: unknown = await own.addBulk(jobs).catch((thrown: unknown) => thrown);
    await q.redis.config('SET', 'maxmemory', '0');

    expect(error).toBeInstanceOf(PartlyAddedError);
    const { added } = error as PartlyAddedError;
    expect(await q.redis.zcard(`${q.base}queued`)).toBe(added.length);
    expect(added.length % 250).toBe(0);
    await own.close();
  });

  it('says that a store that cannot be reached has confirmed nothing', async () => {
    const own = open({ redis: 'redis://127.0.0.1:1' });

    await expect(own.add('job', { command: 'true' })).rejects.toThrow(StoreUnavailableError);

    await own.close();
  });

  const usedMemory = async (): Promise<string> => /used_memory:(\d+)/.exec(await q.redis.info('memory'))?.[1] ?? '0';
});
