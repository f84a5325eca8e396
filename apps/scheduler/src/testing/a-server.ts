import { type AttemptEnd, createUlids, systemClock, systemRandom } from '@orchestrator/core';
import type { DispatchCounters } from '@orchestrator/dispatch';
import { RedisSessionRegistry } from '@orchestrator/heartbeat';
import { type ClaimedJob, type Durability, QueueNews, RedisQueueStore } from '@orchestrator/queue';
import { createRedis } from '@orchestrator/redis';
import { silentLogger } from '@orchestrator/telemetry';
import {
  type FaultProxy,
  startFaultProxy,
  startRedis,
  type TestRedis,
  type TestRedisOptions,
} from '@orchestrator/testing';

import { AccessControl } from '../access/access-control.js';
import type { TokenTable } from '../access/token-table.js';
import type { HttpDeps } from '../http/deps.js';
import { HttpService, type HttpServiceParams } from '../http/http-service.js';
import { LongPolls } from '../http/long-polls.js';
import { Submitter } from '../http/submitter.js';
import { WorkerDirectory } from '../http/worker-directory.js';
import { SchedulerMetrics } from '../metrics.js';

/** What `JSON.parse` answers. */
export type JsonBody = ReturnType<typeof JSON.parse>;

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** Parsed, of any shape: what a test expects of it is its own assertion. */
  body: JsonBody;
}

/** The REST API on a real Redis and a real port, with a hand that does what workers do. */
export interface ApiBench {
  redis: TestRedis;
  /** Stands before Redis when the bench was started with `proxied`. */
  proxy: FaultProxy;
  url: string;
  deps: HttpDeps;
  polls: LongPolls;
  service: HttpService;
  /** Shown by /metrics. */
  counters: DispatchCounters;
  store: RedisQueueStore;
  registry: RedisSessionRegistry;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  send(path: string, init: RequestInit): Promise<Answer>;
  /** Registers a worker and opens its gate. */
  join(worker: string, pools?: string[], slots?: number): Promise<string>;
  /** Claims the head of a pool's queue for a session made by `join`. */
  claim(session: string, pool?: string): Promise<ClaimedJob>;
  succeed(job: ClaimedJob, options?: { pool?: string; stdout?: string; exitCode?: number }): Promise<void>;
  stop(): Promise<void>;
}

export interface ApiOptions extends TestRedisOptions {
  allowedHosts?: string[];
  /** Default: nobody is asked for one. */
  tokens?: TokenTable;
  rateLimit?: number;
  failuresPerMinute?: number;
  durability?: Durability;
  /** The way to Redis leads through `proxy`. Default false. */
  proxied?: boolean;
  http?: Pick<HttpServiceParams, 'audit' | 'maxConnections' | 'takenWithinMs' | 'tls'>;
  maxWaiters?: number;
}

export async function startApi(options: ApiOptions = {}): Promise<ApiBench> {
  const redis = await startRedis(options);
  const proxy = await startFaultProxy(redis.port);
  const { durability = 'memory' } = options;
  const connect = (connectionName: string): ReturnType<typeof createRedis> =>
    createRedis({ url: options.proxied === true ? proxy.url : redis.url, connectionName });
  const connections = [connect('submit'), connect('control'), connect('worker'), connect('news')] as const;
  await Promise.all(connections.map((connection) => connection.connect()));
  const [submit, control, worker, newsConnection] = connections;
  const base = { control, clock: systemClock, random: systemRandom };
  const store = new RedisQueueStore({ ...base, redis: submit, durability });
  const workerStore = new RedisQueueStore({ ...base, redis: worker });
  const registry = new RedisSessionRegistry({ redis: control });
  const news = new QueueNews({ redis: newsConnection });
  const { maxWaiters } = options;
  const polls = new LongPolls({ news, clock: systemClock, ...(maxWaiters === undefined ? {} : { maxWaiters }) });
  const counters: DispatchCounters = {
    assigned: 0,
    settled: 0,
    returned: 0,
    reassigned: 0,
    adopted: 0,
    recoveries: 0,
    wedged: 0,
    balanced: 0,
    staleTerms: 0,
    staleEpochs: 0,
    staleAttempts: 0,
    slowConsumers: 0,
    floods: 0,
  };
  const deps: HttpDeps = {
    store,
    registry,
    workers: new WorkerDirectory({ registry, clock: systemClock, heartbeatIntervalMs: 3_000 }),
    submitter: new Submitter({ store, clock: systemClock }),
    polls,
    metrics: new SchedulerMetrics({
      counters,
      connected: () => 0,
      leader: { isLeader: false, term: undefined },
      redisAnswers: async () => true,
      auditLost: () => 0,
      certificateSecondsLeft: () => 86_400,
    }),
    newUlid: createUlids({ clock: systemClock, random: systemRandom }),
    clock: systemClock,
    logger: silentLogger,
    isStopping: () => false,
    status: async () => ({
      status: 'ready',
      id: 'scheduler-test',
      version: '0.0.0',
      leader: false,
      ports: { http: service.port, grpc: null },
      redis: 'ok',
      durability: 'memory',
    }),
  };
  const service: HttpService = new HttpService({
    host: '127.0.0.1',
    port: 0,
    allowedHosts: options.allowedHosts ?? [],
    access: new AccessControl({ tokens: options.tokens, clock: systemClock, logger: silentLogger }),
    rateLimit: options.rateLimit ?? 0,
    ...(options.failuresPerMinute === undefined ? {} : { failuresPerMinute: options.failuresPerMinute }),
    version: '0.0.0',
    clock: systemClock,
    logger: silentLogger,
    deps,
    ...options.http,
  });
  const stop = async (): Promise<void> => {
    await service.stop();
    news.close();
    connections.forEach((connection) => connection.disconnect());
    await proxy.stop();
    await redis.stop();
  };
  await service.start().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const url = `http://127.0.0.1:${service.port}`;

  const send = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(url + path, init);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
  };
  return {
    redis,
    proxy,
    url,
    deps,
    polls,
    service,
    counters,
    store,
    registry,
    send,
    get: (path, headers = {}) => send(path, { headers }),
    post: (path, body, headers = {}) =>
      send(path, {
        method: 'POST',
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      }),
    async join(id, pools = ['default'], slots = 2) {
      const session = systemRandom.hex(16);
      const info = { pools, slots, labels: { zone: 'a' }, version: '1', host: 'h', pid: 1 };
      const reply = await registry.hello({
        session,
        worker: id,
        number: 1,
        hasRun: false,
        leaseMs: 12_000,
        scheduler: 'scheduler-test',
        info,
      });
      const epoch = reply.status === 'welcome' ? reply.epoch : 0;
      await registry.renew([{ session, epoch, freeSlots: slots, load: 0, memoryUsedBytes: 0, memoryTotalBytes: 0 }]);
      for (const pool of pools) {
        await workerStore.reconcile(pool, { session, worker: id, epoch, held: [], last: true });
      }
      return session;
    },
    async claim(session, pool = 'default') {
      const record = await registry.get(session);
      const want = { session, worker: record?.worker ?? '', epoch: record?.epoch ?? 0, max: 1, free: 1 };
      const { jobs } = await workerStore.claim(pool, [want]);
      if (jobs[0] === undefined) {
        throw new Error('nothing to claim');
      }
      return jobs[0];
    },
    async succeed(job, { pool = 'default', stdout = '', exitCode = 0 } = {}) {
      const key = { ulid: job.ulid, attemptId: job.attemptId, fence: job.fence };
      const data = Buffer.from(stdout);
      const end: AttemptEnd = {
        exitCode,
        signal: null,
        failure: exitCode === 0 ? null : { reason: 'exit_code', message: `exit code ${exitCode}` },
        output: { stdoutBytes: data.length, stderrBytes: 0, truncated: false },
      };
      const output = [{ ...key, number: job.number, stream: 'stdout' as const, offset: 0, sequence: 1, data }];
      await workerStore.settle(pool, [
        {
          ...key,
          outcome: exitCode === 0 ? 'succeeded' : 'failed',
          end,
          retryable: true,
          wasFrozen: false,
          output: data.length === 0 ? [] : output,
        },
      ]);
    },
    stop,
  };
}
