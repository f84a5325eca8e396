import { systemClock, systemRandom } from '@orchestrator/core';
import { type Durability, migrateData, queueKeys } from '@orchestrator/queue';
import { createRedis } from '@orchestrator/redis';
import { createLogger } from '@orchestrator/telemetry';
import { startRedis, type TestRedis, type TestRedisOptions } from '@orchestrator/testing';

import { memoryStream } from '../testing/memory-stream.js';
import { EXIT_UNUSABLE_REDIS, RedisWatch } from './redis-watch.js';

interface Bench {
  server: TestRedis;
  watch: RedisWatch;
  /** Another scheduler's, on the same Redis. */
  another(): Promise<RedisWatch>;
  messages(level: string): string[];
  warnings(): unknown[];
  /** Why submissions are not safe; undefined when they are. */
  trouble(): Promise<string | undefined>;
}

const ANSWER_BOUND_MS = 1_000;
const BACK_BOUND_MS = 10_000;
const benches: (() => Promise<void>)[] = [];

async function startBench(options: TestRedisOptions = {}, durability: Durability = 'memory'): Promise<Bench> {
  const server = await startRedis(options);
  const out = memoryStream();
  const logger = createLogger({ level: 'info', format: 'json', stream: out.stream });
  const ends: (() => unknown)[] = [];
  benches.push(async () => {
    await Promise.all(ends.map((end) => end()));
    await logger.close();
    await server.stop();
  });
  const another = async (): Promise<RedisWatch> => {
    const redis = createRedis({ url: server.url, connectionName: 'control' });
    const watch = new RedisWatch({
      redis,
      address: server.url,
      prefix: 'orc',
      durability,
      clock: systemClock,
      random: systemRandom,
      logger,
      migrate: () => migrateData({ redis, random: systemRandom, logger }),
    });
    ends.push(
      () => watch.stop(),
      () => redis.disconnect(),
    );
    await watch.start();
    await redis.connect();
    return watch;
  };
  const watch = await another();
  const trouble = async (): Promise<string | undefined> => {
    const began = performance.now();
    const health = await watch.health();
    expect(performance.now() - began).toBeLessThan(ANSWER_BOUND_MS);
    return health.trouble;
  };
  const messages = (level: string): string[] =>
    out
      .lines()
      .filter((line) => line['level'] === level)
      .map(({ message }) => String(message));
  const warnings = (): unknown[] => out.lines().map((line) => line['warning']);
  return { server, watch, another, messages, warnings, trouble };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + BACK_BOUND_MS;
  while (!(await holds())) {
    if (performance.now() > end) {
      throw new Error(`it does not hold within ${BACK_BOUND_MS} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

afterEach(async () => {
  await Promise.all(benches.splice(0).map((stop) => stop()));
});

describe('RedisWatch', () => {
  it('says within a second that a server hangs, and that it goes on', async () => {
    const { server, trouble } = await startBench();
    expect(await trouble()).toBeUndefined();

    await server.signal('SIGSTOP');
    expect(await trouble()).toBe('Redis does not answer');
    await server.signal('SIGCONT');

    await until(async () => (await trouble()) === undefined);
  });

  it('says that it is a read-only replica, and takes the same server again when it leads', async () => {
    const [{ server, trouble, messages }, master] = await Promise.all([startBench(), startBench()]);
    await until(async () => (await trouble()) === undefined);
    await server.client().replicaof('127.0.0.1', master.server.port);

    expect(await trouble()).toBe('Redis is a read-only replica');
    await server.client().replicaof('NO', 'ONE');

    await until(async () => (await trouble()) === undefined);
    expect(messages('error')).toContain('submissions are not safe: /readyz answers 503');
    expect(messages('info')).toContain('Redis takes submissions again');
  });

  it('says that replicas are missing', async () => {
    const { server, trouble } = await startBench();
    await until(async () => (await trouble()) === undefined);
    await server.client().config('SET', 'min-replicas-to-write', '1');

    expect(await trouble()).toBe('Redis takes no writes without its replicas (min-replicas-to-write)');
  });

  it('is well with a full server: only submissions are refused there', async () => {
    const { trouble, server } = await startBench({ args: ['--maxmemory', '1'] });

    expect(await trouble()).toBeUndefined();
    await server.client().config('SET', 'maxmemory', '0');
    expect(await trouble()).toBeUndefined();
  });

  it('says that all data were deleted until a scheduler is started anew', async () => {
    const { server, trouble, messages, another } = await startBench({ persistent: true });
    await until(async () => (await trouble()) === undefined);

    await server.client().flushall();

    expect(await trouble()).toBe('all data in Redis were deleted');
    expect(await trouble()).toBe('all data in Redis were deleted');
    expect(messages('error').filter((message) => message.includes('FLUSHALL'))).toHaveLength(1);
    const fresh = await another();
    await until(async () => (await fresh.health()).trouble === undefined);
    expect(await trouble()).toBeUndefined();
  });

  it('says once that a server came back without its data, and goes on', async () => {
    const { server, trouble, messages } = await startBench();
    await until(async () => (await trouble()) === undefined);

    await server.signal('SIGKILL');
    await server.restart();
    await until(async () => (await trouble()) === undefined);

    expect(messages('error')).toContain('Redis has lost the data that it had: jobs that were not finished are gone');
  });

  it('finds its data again after a restart of a server that keeps them', async () => {
    const { server, trouble, messages } = await startBench({ persistent: true });
    await until(async () => (await trouble()) === undefined);

    await server.signal('SIGKILL');
    await server.restart();
    await until(async () => (await trouble()) === undefined);

    expect(messages('error')).toEqual([]);
  });
});

describe('RedisWatch and the schema of the data', () => {
  const keys = queueKeys('orc');

  it('writes it beside the mark, and again with other data', async () => {
    const { server, trouble, another } = await startBench();
    await until(async () => (await trouble()) === undefined);
    const written = await server.client().get(keys.schema());
    await server.client().flushall();
    expect(await trouble()).toBe('all data in Redis were deleted');
    const afterDeletion = await server.client().get(keys.schema());
    const fresh = await another();
    await until(async () => (await fresh.health()).trouble === undefined);

    expect([written, afterDeletion]).toEqual(['2', null]);
    expect(await server.client().get(keys.schema())).toBe('2');
  });

  it('brings data of the first schema, or that have none, to its own, before anything is started', async () => {
    const { server, trouble, another, messages } = await startBench();
    await until(async () => (await trouble()) === undefined);
    await server.client().del(keys.schema());

    const next = await another();
    await next.firstLook();

    expect(await server.client().get(keys.schema())).toBe('2');
    await until(async () => (await next.health()).trouble === undefined);
    const told = 'submissions are not safe: /readyz answers 503';
    expect(messages('error').filter((message) => message !== told)).toEqual([]);
    expect(messages('info')).toContain('the data in Redis were brought to another schema');
  });

  it('writes it in a full server, too, where data without it are', async () => {
    const { server, trouble } = await startBench();
    await until(async () => (await trouble()) === undefined);
    await server.client().del(keys.schema());
    await server.client().config('SET', 'maxmemory', '1');

    await until(async () => (await trouble()) === undefined);

    expect(await server.client().get(keys.schema())).toBe('2');
  });

  it.each(['3', 'x'])('does not start on data of schema %s, says so once, and leaves them alone', async (schema) => {
    const { server, watch, trouble, another, messages } = await startBench();
    await until(async () => (await trouble()) === undefined);
    await watch.firstLook();
    await server.client().set(keys.schema(), schema);

    const late = await another();
    const started = late.firstLook().then(() => 'started');
    const code = await late.unusable;
    await late.health();

    expect(code).toBe(EXIT_UNUSABLE_REDIS);
    expect(await Promise.race([started, Promise.resolve('waits')])).toBe('waits');
    expect(messages('error').filter((message) => message.startsWith('the data'))).toEqual([
      `the data in Redis have schema ${schema}, this scheduler knows 2: start the version of the scheduler that wrote them, or use another redis.prefix`,
    ]);
    expect(await server.client().get(keys.schema())).toBe(schema);
    await late.stop();
    expect(await started).toBe('started');
  });

  it('gives up after a reconnect to data of a newer schema', async () => {
    const { server, watch, trouble } = await startBench({ persistent: true });
    await until(async () => (await trouble()) === undefined);
    await server.client().set(keys.schema(), '3');

    await server.signal('SIGKILL');
    await server.restart();

    expect(await watch.unusable).toBe(EXIT_UNUSABLE_REDIS);
    expect(await trouble()).toBe('the data in Redis have schema 3, this scheduler knows 2');
  });

  it('finds a newer schema on a read-only replica as soon as it leads', async () => {
    const [{ server, watch, trouble }, master] = await Promise.all([startBench(), startBench()]);
    await until(async () => (await trouble()) === undefined && (await master.trouble()) === undefined);
    await master.server.client().set(keys.schema(), '3');
    await master.server.client().config('SET', 'repl-diskless-sync-delay', '0');
    await server.client().replicaof('127.0.0.1', master.server.port);
    await until(async () => (await server.client().get(keys.schema())) === '3');
    await until(async () => (await trouble()) === 'Redis is a read-only replica');

    await server.client().replicaof('NO', 'ONE');

    expect(await watch.unusable).toBe(EXIT_UNUSABLE_REDIS);
  });
});

describe('RedisWatch at durability disk', () => {
  it('refuses a server that cannot keep it', async () => {
    const { watch, messages } = await startBench({ persistent: true }, 'disk');

    expect(await watch.unusable).toBe(EXIT_UNUSABLE_REDIS);
    expect(messages('error')).toContain('this Redis cannot keep the durability');
  });

  it('takes one that flushes always, and is not ready once that was changed', async () => {
    const { watch, server, trouble } = await startBench(
      { persistent: true, args: ['--appendfsync', 'always'] },
      'disk',
    );
    await until(async () => (await trouble()) === undefined);

    await server.client().config('SET', 'appendfsync', 'everysec');

    await until(async () => (await trouble()) !== undefined);
    expect(await trouble()).toBe(
      'durability disk cannot be reached: appendfsync is everysec: set it to always, or use Redis 7.2 or newer (WAITAOF)',
    );
    expect(await Promise.race([watch.unusable, Promise.resolve('goes on')])).toBe('goes on');
  });
});

describe('RedisWatch at durability replica:1', () => {
  it('warns of a server without replicas that writes alone', async () => {
    const { warnings } = await startBench({}, 'replica:1');

    const expected = [expect.stringMatching(/^0 replicas are/), expect.stringMatching(/^min-replicas-to-write is 0/)];
    await until(async () => warnings().length > 3);
    expect(warnings()).toEqual(expect.arrayContaining(expected));
  });
});
