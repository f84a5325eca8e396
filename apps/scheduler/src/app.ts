import { createUlids, systemClock, systemRandom } from '@orchestrator/core';
import { createDispatch } from '@orchestrator/dispatch';
import { RedisSessionRegistry } from '@orchestrator/heartbeat';
import { type Service, ServiceList } from '@orchestrator/lifecycle';
import { RedlockLock } from '@orchestrator/lock';
import { migrateData, QueueNews, RedisQueueStore } from '@orchestrator/queue';
import { createLogger } from '@orchestrator/telemetry';

import { CloseDelay } from './close-delay.js';
import { asksForTokens, openAccess } from './access/open-access.js';
import { openAudit } from './audit/open-audit.js';
import type { SchedulerConfig } from './config.js';
import { isLoopback } from './config-rules.js';
import { CredentialFiles } from './credentials/credential-files.js';
import { openJoinTokens } from './credentials/join-tokens.js';
import { openRedisPassword } from './credentials/redis-password.js';
import { GrpcServer } from './grpc/grpc-server.js';
import { toJoinRefusal } from './grpc/join-refusal.js';
import type { SchedulerStatus } from './http/deps.js';
import { HttpService } from './http/http-service.js';
import { LongPolls } from './http/long-polls.js';
import { Submitter } from './http/submitter.js';
import { WorkerDirectory } from './http/worker-directory.js';
import { SchedulerMetrics } from './metrics.js';
import { RedisConnections } from './redis/redis-connections.js';
import { redisTarget } from './redis/redis-target.js';
import { RedisWatch } from './redis/redis-watch.js';
import { SchedulerPresence } from './scheduler-presence.js';
import { SchedulerState } from './scheduler-state.js';
import { createCertificateWatch } from './tls/certificate-watch.js';
import { openRedisAuthority } from './tls/redis-authority.js';
import { openTls } from './tls/tls-files.js';
import { version } from './version.js';

export interface SchedulerAppParams {
  config: SchedulerConfig;
  /** Of the configuration, to be logged. */
  warnings: readonly string[];
  secrets: readonly string[];
  stdout: NodeJS.WriteStream;
}

export interface SchedulerApp {
  service: Service;
  logger: ReturnType<typeof createLogger>;
  /** Resolves with an exit code when it cannot go on. */
  ended: Promise<number>;
  /** As /readyz answers it. */
  status(): Promise<SchedulerStatus>;
}

/** The composition root: the only place where a scheduler's parts are made. */
export function createSchedulerApp({ config, warnings, secrets, stdout }: SchedulerAppParams): SchedulerApp {
  const clock = systemClock;
  const random = systemRandom;
  const id = `scheduler-${random.hex(4)}`;
  const { prefix } = config.redis;
  const format = config.log.format === 'auto' ? (stdout.isTTY ? 'pretty' : 'json') : config.log.format;
  const logger = createLogger({ level: config.log.level, format, stream: stdout, secrets, fields: { scheduler: id } });
  const part = (component: string): ReturnType<typeof logger.child> => logger.child({ component });

  // Files with credentials: read as they are opened below, and again when they change.
  const credentials = new CredentialFiles({
    logger: part('credentials'),
    mask: (values) => logger.mask(values),
    clock,
    random,
  });

  const audit = openAudit(config, {
    clock,
    logger: part('audit'),
    entries: logger.gathering({ component: 'audit' }),
  });
  const tls = openTls(config, { files: credentials, clock, logger: part('tls') });

  // Redis: what is kept there, and the way to it.
  const { target, address } = redisTarget(config);
  const redis = new RedisConnections({
    target,
    lockUrls: config.lock.nodes,
    password: openRedisPassword(config, credentials),
    authority: openRedisAuthority(config, credentials),
    schedulerId: id,
    clock,
    logger: part('redis'),
  });
  const { durability } = config;
  const watch = new RedisWatch({
    redis: redis.control,
    whyNot: () => redis.trouble,
    address,
    prefix,
    durability,
    clock,
    random,
    logger: part('redis'),
    migrate: () => migrateData({ redis: redis.submit, control: redis.control, prefix, random, logger: part('redis') }),
  });
  const storeBase = { control: redis.control, clock, random, prefix, logger: part('queue') };
  const submitStore = new RedisQueueStore({ ...storeBase, redis: redis.submit, durability });
  const dispatchStore = new RedisQueueStore({ ...storeBase, redis: redis.dispatch });
  const registry = new RedisSessionRegistry({ redis: redis.control, prefix });
  const news = new QueueNews({ redis: redis.news, prefix, clock, logger: part('news') });
  const lock = new RedlockLock({ nodes: redis.locks, clock, random, logger: part('lock'), prefix });

  // Workers: over gRPC.
  const dispatch = createDispatch({
    schedulerId: id,
    version,
    store: dispatchStore,
    registry,
    lock,
    news,
    clock,
    random,
    logger: part('dispatch'),
    retention: config.retention,
    heartbeatIntervalMs: config.heartbeat.interval,
    leaseMs: config.heartbeat.lease,
    deadAfterMs: config.heartbeat.timeout,
  });
  const grpc = new GrpcServer({
    host: config.grpc.host,
    port: config.grpc.port,
    joinTokens: openJoinTokens(config, credentials),
    onRefused: (refusal) => audit.refusals.record(toJoinRefusal(refusal, clock.wallMs())),
    tls,
    dispatch,
    clock,
    logger: part('grpc'),
  });

  const presence = new SchedulerPresence({
    registry,
    presence: () => ({ id, version, workers: dispatch.connected() }),
    clock,
    random,
    logger: part('presence'),
  });

  // Users: over HTTP.
  const state = new SchedulerState({
    id,
    version,
    durability,
    isLeader: () => dispatch.leader.isLeader,
    redisHealth: () => watch.health(),
    ports: () => ({ http: http.port, grpc: grpc.port ?? null }),
    logger,
  });
  const metrics = new SchedulerMetrics({
    counters: dispatch.counters,
    connected: () => dispatch.connected(),
    leader: dispatch.leader,
    redisAnswers: () => watch.answers(),
    auditLost: () => audit.lost(),
    certificateSecondsLeft: tls && (() => tls.secondsLeft()),
  });
  const http: HttpService = new HttpService({
    host: config.http.host,
    port: config.http.port,
    allowedHosts: config.http.allowedHosts,
    access: openAccess(config, credentials, { clock, logger: part('access') }),
    rateLimit: config.http.rateLimit,
    audit: { log: audit.log, refusals: audit.refusals, clock },
    tls,
    version,
    clock,
    logger: part('http'),
    deps: {
      store: submitStore,
      registry,
      workers: new WorkerDirectory({ registry, clock, heartbeatIntervalMs: config.heartbeat.interval }),
      submitter: new Submitter({ store: submitStore, clock, onSent: (pool, jobs) => dispatch.submitting(pool, jobs) }),
      polls: new LongPolls({ news, clock }),
      metrics,
      newUlid: createUlids({ clock, random }),
      clock,
      logger: part('http'),
      isStopping: () => state.isStopping,
      status: () => state.status(),
    },
  });

  for (const warning of warnings) {
    logger.warn('something about the configuration', { warning });
  }
  if (asksForTokens(config) && config.tls.cert === undefined && !isLoopback(config.http.host)) {
    logger.warn('tokens are asked for without TLS: whoever is on the way can read and use them', {
      host: config.http.host,
    });
  }
  if (config.auth.mode === 'none') {
    logger.warn('auth.mode is none: whoever reaches these ports may run commands on the workers');
  }
  // Started from top to bottom, stopped from bottom to top: first nobody is sent here any more (/readyz, presence), then the
  // workers are moved away and what they reported is brought in, another one may lead, then the API ends, at last the way
  // to Redis.
  const services: Service[] = [
    { name: 'log', start: async () => undefined, stop: () => logger.close() },
    audit.service,
    credentials,
    ...(tls === undefined ? [] : [createCertificateWatch({ files: tls, clock, random, logger: part('tls') })]),
    watch,
    redis,
    { name: 'first look at Redis', start: () => watch.firstLook(), stop: async () => undefined },
    { name: 'news', start: async () => undefined, stop: async () => news.close() },
    { name: 'lock', start: async () => undefined, stop: () => lock.close() },
    http,
    grpc,
    new CloseDelay({ delayMs: config.http.closeDelay, clock, logger }),
    ...dispatch.duties,
    dispatch.streams,
    presence,
    state,
  ];
  return {
    service: new ServiceList('scheduler', services, { clock, logger }),
    logger,
    ended: watch.unusable,
    status: () => state.status(),
  };
}
