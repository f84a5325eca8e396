import { type JobState, type Random, systemClock, systemRandom, type Ulid } from '@orchestrator/core';
import { startRedis, type TestRedis, type TestRedisOptions } from '@orchestrator/testing';
import type { Redis } from 'ioredis';

import { type QueueKeys, queueKeys } from '../keys.js';
import type { PoolScript } from '../redis/define-pool-script.js';
import { parseRecord } from '../redis/reads/record-text.js';
import { RedisQueueStore } from '../redis/redis-queue-store.js';
import { type ClaimedJob, type ClaimWant, type NewJob, RECOVERY_MIN_MS } from '../store.js';
import { aJob } from './a-job.js';
import { assertQueueInvariants } from './invariants.js';
import { patchRecord } from './patch-record.js';

/** What one test works with: a pool and keys of its own on the file's Redis. */
export interface QueueSetup {
  redis: Redis;
  keys: QueueKeys;
  prefix: string;
  pool: string;
  /** The base of the pool's keys. */
  base: string;
  store: RedisQueueStore;
  /** Another client of the store, on a connection of its own. */
  another(random?: Random): RedisQueueStore;
  /** Sends a script by hand, as call `number` of client "by-hand". */
  send<Params, Reply>(script: PoolScript<Params, Reply>, number: number, params: Params): Promise<Reply>;
  openGate(session: string, epoch?: number): Promise<void>;
  /** Enqueues, in calls of at most 250. */
  add(...jobs: NewJob[]): Promise<Ulid[]>;
  /** Opens the session's gate, enqueues the job and claims the head of the queue. */
  run(job?: NewJob, session?: string): Promise<ClaimedJob>;
  /** The job's fields as keys.ts names them, with `spec` and `end`; without those that are empty. */
  record(ulid: string): Promise<Record<string, string>>;
  /** Writes over some of them. */
  patch(ulid: string, fields: Readonly<Record<string, string | number>>): Promise<void>;
  state(ulid: string): Promise<JobState | undefined>;
  /** Lines of the events so far, oldest first. */
  events(): Promise<string[]>;
  /** Makes every scheduled job due, in the order in which they were. */
  makeDue(): Promise<void>;
  /** As after a restart or a failover: the pool remembers another server than it lies on. */
  moveServer(): Promise<void>;
  /** Makes the recovery old enough to be over. `of`: only one that is under way and, when it was found, was still meant. */
  letRecoveryAge(of?: () => boolean): Promise<void>;
  /** Redis' clock, ms. */
  now(): Promise<number>;
  assertInvariants(): Promise<void>;
}

export interface QueueBench {
  server: TestRedis;
  setup(): QueueSetup;
  stop(): Promise<void>;
}

/** Starts the Redis of one test file. */
export async function startBench(options: TestRedisOptions = {}): Promise<QueueBench> {
  const server = await startRedis(options);
  const redis = server.client();
  let tests = 0;
  return {
    server,
    setup: () => setup(server, redis, `t${++tests}`),
    stop: () => server.stop(),
  };
}

/** Another recovery may have begun since. */
const AGE = `
if (redis.call('HGET', KEYS[1], 'recovering') or '') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'recovering', ARGV[2])
end`;

export function aWant(session: string, overrides: Partial<ClaimWant> = {}): ClaimWant {
  const max = overrides.max ?? 1;
  return { session, worker: `worker-of-${session}`, epoch: 1, max, free: max, ...overrides };
}

function setup(server: TestRedis, redis: Redis, prefix: string): QueueSetup {
  const keys = queueKeys(prefix);
  const pool = 'default';
  const base = keys.pool(pool);
  const params = { clock: systemClock, random: systemRandom, prefix };
  const store = new RedisQueueStore({ ...params, redis });
  const openGate = async (session: string, epoch = 1): Promise<void> => {
    await redis.hset(`${base}gates`, session, epoch);
  };
  const add = async (...jobs: NewJob[]): Promise<Ulid[]> => {
    for (let i = 0; i < jobs.length; i += 250) {
      await store.enqueue(pool, jobs.slice(i, i + 250));
    }
    return jobs.map((job) => job.ulid);
  };
  const record = async (ulid: string): Promise<Record<string, string>> => {
    const [text, spec, end] = await Promise.all(['jobs', 'specs', 'ends'].map((name) => redis.hget(base + name, ulid)));
    return { ...parseRecord(text ?? ''), ...(spec === null ? {} : { spec }), ...(end === null ? {} : { end }) };
  };
  const now = async (): Promise<number> => {
    const [seconds, micros] = await redis.time();
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  };
  return {
    redis,
    keys,
    prefix,
    pool,
    base,
    store,
    another: (random = systemRandom) => new RedisQueueStore({ ...params, random, redis: server.client() }),
    send: (script, number, sent) => script.send(redis, { base, clientId: 'by-hand', number }, sent),
    openGate,
    add,
    run: async (job = aJob(), session = 'session-a') => {
      await openGate(session);
      await add(job);
      const { jobs } = await store.claim(pool, [aWant(session)]);
      return jobs[0] as ClaimedJob;
    },
    record,
    patch: (ulid, fields) => patchRecord(redis, base, ulid, fields),
    state: async (ulid) => (await record(ulid))['state'] as JobState | undefined,
    events: async () => {
      const entries = await redis.xrange(`${base}events`, '-', '+');
      return entries.flatMap(([, fields]) => (fields[1] as string).split('\n'));
    },
    makeDue: async () => {
      for (const [i, ulid] of (await redis.zrange(`${base}scheduled`, '0', '-1')).entries()) {
        await redis.zadd(`${base}scheduled`, i + 1, ulid);
        await patchRecord(redis, base, ulid, { due: i + 1 });
      }
    },
    moveServer: async () => {
      await redis.hset(`${base}calls`, 'server', 'f'.repeat(40));
    },
    letRecoveryAge: async (of) => {
      const began = await redis.hget(`${base}calls`, 'recovering');
      if (of === undefined || (began !== null && of())) {
        await redis.eval(AGE, 1, `${base}calls`, began ?? '', (await now()) - RECOVERY_MIN_MS);
      }
    },
    now,
    assertInvariants: () => assertQueueInvariants(redis, keys, pool),
  };
}
