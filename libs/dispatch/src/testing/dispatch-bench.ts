import {
  type Clock,
  createUlids,
  type Job,
  type JobRule,
  type JobSpec,
  systemClock,
  systemRandom,
  type Ulid,
} from '@orchestrator/core';
import { RedisSessionRegistry } from '@orchestrator/heartbeat';
import { RedlockLock } from '@orchestrator/lock';
import { type NewJob, QueueNews, RedisQueueStore } from '@orchestrator/queue';
import { createRedis } from '@orchestrator/redis';
import { type Logger, type LogFields } from '@orchestrator/telemetry';
import { startRedis, type TestRedis, type TestRedisOptions } from '@orchestrator/testing';

import { createDispatch, type Dispatch, type DispatchOptions } from '../dispatch.js';

const newUlid = createUlids({ clock: systemClock, random: systemRandom });

export interface LogLine {
  level: string;
  message: string;
  fields: LogFields;
}

/** One scheduler's dispatch on connections of its own, with all its services. */
export interface Scheduler {
  id: string;
  dispatch: Dispatch;
  lines: LogLine[];
  stop(): Promise<void>;
}

export interface SchedulerOptions extends Partial<DispatchOptions> {
  /** Where its store finds the pools. */
  poolsUrl?: string;
  /** False: nothing but the streams runs. */
  duties?: boolean;
  lockClock?: Clock;
}

/** A Redis of one test file; each test gets a prefix of its own. */
export interface DispatchBench {
  server: TestRedis;
  setup(): DispatchSetup;
  stop(): Promise<void>;
}

export interface DispatchSetup {
  /** Another client of the store, as REST has one. */
  store: RedisQueueStore;
  registry: RedisSessionRegistry;
  scheduler(options?: SchedulerOptions): Promise<Scheduler>;
  submit(
    count: number,
    over?: { pool?: string; spec?: Partial<JobSpec>; rule?: JobRule } & Partial<Omit<NewJob, 'spec' | 'rule'>>,
  ): Promise<Ulid[]>;
  job(ulid: string, pool?: string): Promise<Job>;
  /** Asks again until it holds; rejects when it does not in time. */
  until<T>(what: string, ask: () => Promise<T>, holds: (value: T) => boolean): Promise<T>;
  stop(): Promise<void>;
}

const LIMIT_MS = 10_000;
const ASK_AGAIN_MS = 5;

export async function startBench(options: TestRedisOptions = {}): Promise<DispatchBench> {
  const server = await startRedis(options);
  let tests = 0;
  return { server, setup: () => setUp(server, `t${++tests}`), stop: () => server.stop() };
}

function setUp(server: TestRedis, prefix: string): DispatchSetup {
  const common = { clock: systemClock, random: systemRandom, prefix };
  const redis = server.client();
  const store = new RedisQueueStore({ ...common, redis });
  const running: Scheduler[] = [];
  const job = async (ulid: string, pool = 'default'): Promise<Job> => {
    const [found] = await store.getJobs(pool, [ulid]);
    if (found === undefined) {
      throw new Error(`there is no job ${pool}:${ulid}`);
    }
    return found;
  };
  return {
    store,
    registry: new RedisSessionRegistry({ redis, prefix }),
    async scheduler(over = {}) {
      const scheduler = await startScheduler(server, prefix, running.length + 1, over);
      running.push(scheduler);
      return scheduler;
    },
    async submit(count, over = {}) {
      const { pool = 'default', spec, rule = {}, ...rest } = over;
      const jobs = Array.from({ length: count }, (): NewJob => ({
        ulid: newUlid(),
        spec: { name: 'test_job', command: 'true', ...spec },
        rule,
        priority: 0,
        ...rest,
      }));
      for (let i = 0; i < jobs.length; i += 250) {
        await store.enqueue(pool, jobs.slice(i, i + 250));
      }
      return jobs.map(({ ulid }) => ulid);
    },
    job,
    async until(what, ask, holds) {
      const limit = systemClock.monotonicMs() + LIMIT_MS;
      for (;;) {
        const value = await ask();
        if (holds(value)) {
          return value;
        }
        if (systemClock.monotonicMs() > limit) {
          throw new Error(`${what} did not come true within ${LIMIT_MS} ms: ${JSON.stringify(value)}`);
        }
        await new Promise<void>((resolve) => systemClock.setTimer(ASK_AGAIN_MS, resolve));
      }
    },
    async stop() {
      await Promise.all(running.map((scheduler) => scheduler.stop()));
    },
  };
}

async function startScheduler(
  server: TestRedis,
  prefix: string,
  number: number,
  over: SchedulerOptions,
): Promise<Scheduler> {
  const { poolsUrl = server.url, duties = true, lockClock = systemClock, ...options } = over;
  const id = `scheduler-${number}`;
  const connect = (connectionName: string, url = server.url): ReturnType<typeof createRedis> =>
    createRedis({ url, connectionName });
  const clients = { pools: connect('dispatch', poolsUrl), control: connect('control'), lock: connect('lock') };
  const listener = createRedis({ url: server.url, connectionName: 'news' });
  await Promise.all([...Object.values(clients), listener].map((client) => client.connect()));
  const lines: LogLine[] = [];
  const logger = recordingLogger(lines);
  const common = { clock: systemClock, random: systemRandom, logger, prefix };
  const news = new QueueNews({ redis: listener, prefix });
  const lock = new RedlockLock({ ...common, clock: lockClock, nodes: [clients.lock], ttlMs: 1_000, retryMs: 100 });
  const dispatch = createDispatch({
    schedulerId: id,
    version: '0.1.0',
    store: new RedisQueueStore({ ...common, redis: clients.pools, control: clients.control }),
    registry: new RedisSessionRegistry({ redis: clients.control, prefix }),
    lock,
    news,
    ...common,
    retention: { maxFinished: 100_000, maxOutputBytes: 256 * 1024 * 1024 },
    stopLimitMs: 300,
    ...options,
  });
  const services = duties ? dispatch.duties : [];
  for (const service of services) {
    await service.start();
  }
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await dispatch.streams.stop();
    for (const service of [...services].reverse()) {
      await service.stop();
    }
    await lock.close();
    news.close();
    [...Object.values(clients), listener].forEach((client) => client.disconnect());
  };
  return { id, dispatch, lines, stop: () => (stopping ??= stop()) };
}

function recordingLogger(lines: LogLine[], base: LogFields = {}): Logger {
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push({ level, message, fields: { ...base, ...fields } });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => recordingLogger(lines, { ...base, ...fields }),
  };
}
