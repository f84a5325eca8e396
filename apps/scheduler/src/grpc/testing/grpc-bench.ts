import { createUlids, type Job, type JobSpec, systemClock, systemRandom } from '@orchestrator/core';
import { createDispatch, type Dispatch, type MessageLimits } from '@orchestrator/dispatch';
import { RedisSessionRegistry } from '@orchestrator/heartbeat';
import { RedlockLock } from '@orchestrator/lock';
import { QueueNews, RedisQueueStore } from '@orchestrator/queue';
import { createRedis } from '@orchestrator/redis';
import { silentLogger } from '@orchestrator/telemetry';
import { startRedis, type TestRedis } from '@orchestrator/testing';

import { GrpcServer, type GrpcServerParams } from '../grpc-server.js';
import { StreamWorker, type StreamWorkerParams } from './stream-worker.js';

/** A gRPC server of a scheduler on a real Redis, and workers that dial it. */
export interface GrpcBench {
  redis: TestRedis;
  dispatch: Dispatch;
  server: GrpcServer;
  address: string;
  dial(over?: Partial<StreamWorkerParams>): StreamWorker;
  /** Ulid of a new job. */
  submit(spec?: Partial<JobSpec>): Promise<string>;
  job(ulid: string): Promise<Job>;
  /** What is stored of its first start. */
  output(ulid: string): Promise<string>;
  stop(): Promise<void>;
}

const newUlid = createUlids({ clock: systemClock, random: systemRandom });

export interface GrpcBenchOptions extends Pick<
  GrpcServerParams,
  'joinTokens' | 'tls' | 'outbox' | 'linkEndLimits' | 'maxConnections' | 'peerLimits'
> {
  messageLimits?: MessageLimits;
}

export async function startGrpcBench({ messageLimits, ...options }: GrpcBenchOptions = {}): Promise<GrpcBench> {
  const redis = await startRedis();
  const common = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const connect = (connectionName: string): ReturnType<typeof createRedis> =>
    createRedis({ url: redis.url, connectionName });
  const clients = { pools: connect('dispatch'), submit: connect('submit'), control: connect('control') };
  const others = [connect('lock'), connect('news')] as const;
  const all = [...Object.values(clients), ...others];
  await Promise.all(all.map((client) => client.connect()));
  const store = new RedisQueueStore({ ...common, redis: clients.submit, control: clients.control });
  const news = new QueueNews({ redis: others[1] });
  const lock = new RedlockLock({ ...common, nodes: [others[0]] });
  const dispatch = createDispatch({
    schedulerId: 'scheduler-1',
    version: '0.1.0',
    store: new RedisQueueStore({ ...common, redis: clients.pools, control: clients.control }),
    registry: new RedisSessionRegistry({ redis: clients.control }),
    lock,
    news,
    ...common,
    retention: { maxFinished: 1_000, maxOutputBytes: 1024 * 1024 },
    stopLimitMs: 200,
    ...(messageLimits === undefined ? {} : { messageLimits }),
  });
  const server = new GrpcServer({ host: '127.0.0.1', port: 0, dispatch, ...common, shutdownLimitMs: 200, ...options });
  await server.start();
  const address = `127.0.0.1:${server.port}`;
  const workers: StreamWorker[] = [];
  return {
    redis,
    dispatch,
    server,
    address,
    dial(over = {}) {
      const worker = new StreamWorker({ address, ...over });
      workers.push(worker);
      return worker;
    },
    async submit(spec = {}) {
      const ulid = newUlid();
      await store.enqueue('default', [
        { ulid, spec: { name: 'test_job', command: 'true', ...spec }, rule: {}, priority: 0 },
      ]);
      return ulid;
    },
    async job(ulid) {
      const [job] = await store.getJobs('default', [ulid]);
      if (job === undefined) {
        throw new Error(`there is no job ${ulid}`);
      }
      return job;
    },
    async output(ulid) {
      const { chunks = [] } = (await store.readOutput('default', ulid, 1)) ?? {};
      return chunks.map(({ data }) => data.toString()).join('');
    },
    async stop() {
      workers.forEach((worker) => worker.hangUp());
      await dispatch.streams.stop();
      await server.stop();
      await lock.close();
      news.close();
      all.forEach((client) => client.disconnect());
      await redis.stop();
    },
  };
}
