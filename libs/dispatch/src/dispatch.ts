import type { Clock, Random } from '@orchestrator/core';
import {
  DEAD_AFTER_MS,
  type Death,
  HEARTBEAT_INTERVAL_MS,
  LEASE_MS,
  LOOK_INTERVAL_MS,
  type SessionRegistry,
  VersionWatch,
} from '@orchestrator/heartbeat';
import type { Service } from '@orchestrator/lifecycle';
import { LeaderElection, type Leadership, type Lock } from '@orchestrator/lock';
import type { OutputAck, OutputMessage } from '@orchestrator/proto-types';
import type { OutputWriter, QueueStore, RetentionLimits } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import { Connections } from './connections.js';
import { createCounters, type DispatchCounters } from './counters.js';
import { DeathCarrier } from './death-carrier.js';
import { HeartbeatRenewer } from './heartbeat-renewer.js';
import { acceptLastWill, type LastWill } from './last-will.js';
import { lead } from './leader-duties.js';
import type { MessageLimits } from './message-budget.js';
import { OutputSink } from './output-sink.js';
import { PoolDispatchers } from './pool-dispatchers.js';
import type { PoolNews } from './pool-news.js';
import { Promoter } from './promoter.js';
import { STOP_LIMIT_MS, Streams } from './streams.js';
import { SWEEP_INTERVAL_MS } from './sweeper.js';
import { createTrimmer } from './trimmer.js';
import { WorkerBalancer } from './worker-balancer.js';
import { WorkerConnection } from './worker-connection.js';
import type { WorkerLink } from './worker-link.js';

export interface DispatchOptions {
  schedulerId: string;
  /** Of this scheduler, as in "1.4.2". */
  version: string;
  /** A client of its own: nobody else's writing calls stand before its own. */
  store: QueueStore;
  registry: SessionRegistry;
  /** Elects the one scheduler that judges. */
  lock: Lock;
  news: PoolNews;
  clock: Clock;
  random: Random;
  logger: Logger;
  retention: RetentionLimits;
  /** What workers are told. Default `HEARTBEAT_INTERVAL_MS`. */
  heartbeatIntervalMs?: number;
  /** Default `LEASE_MS`. */
  leaseMs?: number;
  /** Default `DEAD_AFTER_MS`. */
  deadAfterMs?: number;
  /** Between two looks of the judge. Default `LOOK_INTERVAL_MS`. */
  lookIntervalMs?: number;
  /** Default `SWEEP_INTERVAL_MS`. */
  sweepIntervalMs?: number;
  /** Of one worker. Default `DEFAULT_MESSAGE_LIMITS`. */
  messageLimits?: MessageLimits;
  /** A worker is not told to move before so long after its Welcome. Default `SETTLED_MS`. */
  settledMs?: number;
  onLeadership?(leadership: Leadership): void;
  /** How long stopping waits for what it holds and for workers to leave. Default `STOP_LIMIT_MS`. */
  stopLimitMs?: number;
}

/** The scheduler's side of the worker protocol, whatever carries it. */
export interface Dispatch {
  /** What runs besides, in the order of starting: retention, promotion, leading, balancing. */
  readonly duties: readonly Service[];
  /**
   * All streams as a whole. To be stopped before the transport and before the duties: the workers are moved away, what
   * they reported is brought in, the streams are closed.
   */
  readonly streams: Service;
  readonly leader: Pick<LeaderElection, 'isLeader' | 'term'>;
  /** One of the duties: spreads workers over schedulers. */
  readonly balancer: Pick<WorkerBalancer, 'runOnce'>;
  readonly counters: Readonly<DispatchCounters>;
  /** A stream was opened: hand over each of its messages, and `end` when it has broken. */
  acceptWorker(link: WorkerLink): WorkerConnection;
  /**
   * Resolves when it is stored; await it before reading on.
   * @throws {ForeignSessionError} when an attempt in it is another's
   */
  acceptOutput(message: OutputMessage, signal: AbortSignal, writer?: OutputWriter): Promise<OutputAck>;
  /** @throws {ForeignSessionError} */
  gone(will: LastWill): Promise<Death | undefined>;
  /**
   * These jobs are just being sent to the store, from here: what is free takes them without waiting for the news. Resolves
   * when that was answered; undefined: nothing is free.
   */
  submitting(pool: string, jobs: readonly { ulid: string }[]): Promise<void> | undefined;
  /** A session that said Hello here and is not: its stream has broken, it is suspect. */
  isServing(session: string): boolean;
  /** How many workers are served here. */
  connected(): number;
  /** How many pools are looked after here, for the sake of workers. */
  knownPools(): number;
}

export function createDispatch(options: DispatchOptions): Dispatch {
  const { store, registry, news, clock, random, logger, schedulerId, retention } = options;
  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? HEARTBEAT_INTERVAL_MS;
  const leaseMs = options.leaseMs ?? LEASE_MS;
  const counters = createCounters();
  const versions = new VersionWatch(options.version, logger);
  const connections = new Connections();
  const base = { store, registry, news, clock, random, logger, counters };
  const promoter = new Promoter({
    ...base,
    onPromoted: (pool) => pools.hurry(pool),
    onQueued: (pool, queued) => pools.sawQueued(pool, queued),
  });
  const pools = new PoolDispatchers({
    ...base,
    onPool: (pool) => promoter.watch(pool),
    onUnused: (pool) => promoter.forget(pool),
    onNextDue: (pool, inMs) => promoter.aim(pool, inMs),
  });
  const carrier = new DeathCarrier({ ...base, onFreed: (pool) => pools.hurry(pool) });
  const output = new OutputSink(base);
  const willDeps = { registry, carrier, connections, logger };
  const connectionDeps = {
    ...base,
    schedulerId,
    version: options.version,
    versions,
    leaseMs,
    heartbeatIntervalMs,
    messageLimits: options.messageLimits,
    renewer: new HeartbeatRenewer(registry),
    pools,
    connections,
    farewell: async (session: string, worker: string) => {
      await acceptLastWill(willDeps, { session, worker, reason: 'left', detail: 'it said Goodbye after a drain' });
    },
  };
  const streams = new Streams({ clock, connections, pools, carrier, limitMs: options.stopLimitMs ?? STOP_LIMIT_MS });
  const {
    deadAfterMs = DEAD_AFTER_MS,
    lookIntervalMs = LOOK_INTERVAL_MS,
    sweepIntervalMs = SWEEP_INTERVAL_MS,
  } = options;
  const onDeath = ({ session, reason }: Death): void =>
    connections.get(session)?.refuse({ status: 'session_dead', reason });
  const leading = { ...base, carrier, onDeath, deadAfterMs, lookIntervalMs, sweepIntervalMs };
  const balancer = new WorkerBalancer({
    ...base,
    schedulerId,
    versions,
    workers: () => connections.list(),
    settledMs: options.settledMs,
  });
  const election = new LeaderElection({
    lock: options.lock,
    candidate: schedulerId,
    mintTerm: (candidate) => registry.mintTerm(candidate),
    lead: (term, signal) => lead(leading, term, signal),
    onChange: (leadership) => options.onLeadership?.(leadership),
    clock,
    random,
    logger,
  });
  return {
    duties: [createTrimmer({ ...base, limits: retention }), promoter, election, balancer],
    balancer,
    streams,
    leader: election,
    counters,
    acceptWorker(link) {
      const connection = new WorkerConnection(link, connectionDeps);
      streams.admit(connection);
      return connection;
    },
    acceptOutput: (message, signal, writer) => output.accept(message, signal, writer),
    gone: (will) => acceptLastWill(willDeps, will),
    submitting: (pool, jobs) => pools.submitting(pool, jobs),
    isServing: (session) => connections.get(session)?.isServing ?? false,
    connected: () => connections.list().filter(({ isServing }) => isServing).length,
    knownPools: () => pools.list().length,
  };
}
