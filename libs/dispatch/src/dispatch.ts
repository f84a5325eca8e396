import { type Clock, type Random, sleep } from '@orchestrator/core';
import {
  DEAD_AFTER_MS,
  type Death,
  HEARTBEAT_INTERVAL_MS,
  LEASE_MS,
  type SessionRegistry,
} from '@orchestrator/heartbeat';
import type { Service } from '@orchestrator/lifecycle';
import type { OutputAck, OutputMessage } from '@orchestrator/proto-types';
import type { QueueStore, RetentionLimits } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import { Connections } from './connections.js';
import { createCounters, type DispatchCounters } from './counters.js';
import { DeathCarrier } from './death-carrier.js';
import { HeartbeatRenewer } from './heartbeat-renewer.js';
import { acceptLastWill, type LastWill } from './last-will.js';
import { beginLeadership, type Leadership } from './leader-duties.js';
import { OutputSink } from './output-sink.js';
import { PoolDispatchers } from './pool-dispatchers.js';
import type { PoolNews } from './pool-news.js';
import { Promoter } from './promoter.js';
import { createTrimmer } from './trimmer.js';
import { listWorkers, type WorkerView } from './worker-directory.js';
import { WorkerConnection } from './worker-connection.js';
import type { WorkerLink } from './worker-link.js';

export interface DispatchOptions {
  schedulerId: string;
  /** A client of its own: nobody else's writing calls stand before its own. */
  store: QueueStore;
  registry: SessionRegistry;
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
  /** How long stopping waits for what it holds and for workers to leave. Default `STOP_LIMIT_MS`. */
  stopLimitMs?: number;
}

export const STOP_LIMIT_MS = 3_000;
const STOP_POLL_MS = 20;

/** The scheduler's side of the worker protocol, whatever carries it. */
export interface Dispatch {
  /** In the order of starting. Stopping the last one moves the workers away and brings in what is held. */
  readonly services: readonly Service[];
  readonly counters: Readonly<DispatchCounters>;
  /** A stream was opened: hand over each of its messages, and `end` when it has broken. */
  acceptWorker(link: WorkerLink): WorkerConnection;
  /** Resolves when it is stored; await it before reading on. */
  acceptOutput(message: OutputMessage, signal: AbortSignal): Promise<OutputAck>;
  /** @throws {ForeignSessionError} */
  gone(will: LastWill): Promise<Death | undefined>;
  /** The workers of all schedulers. */
  workers(): Promise<WorkerView[]>;
  /** How many workers are served here. */
  connected(): number;
  /** This process leads under this term, until it stops what it gets. */
  lead(term: number, onStaleTerm: () => void): Promise<Leadership>;
}

export function createDispatch(options: DispatchOptions): Dispatch {
  const { store, registry, news, clock, random, logger, schedulerId, retention } = options;
  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? HEARTBEAT_INTERVAL_MS;
  const leaseMs = options.leaseMs ?? LEASE_MS;
  const counters = createCounters();
  const connections = new Connections();
  const base = { store, registry, news, clock, random, logger, counters };
  const promoter = new Promoter({ ...base, onPromoted: (pool) => pools.hurry(pool) });
  const pools = new PoolDispatchers({ ...base, onNextDue: (pool, inMs) => promoter.aim(pool, inMs) });
  const carrier = new DeathCarrier({ ...base, onFreed: (pool) => pools.hurry(pool) });
  const output = new OutputSink(base);
  const willDeps = { registry, carrier, connections, logger };
  const connectionDeps = {
    ...base,
    schedulerId,
    leaseMs,
    heartbeatIntervalMs,
    renewer: new HeartbeatRenewer(registry),
    pools,
    connections,
    farewell: async (session: string, worker: string) => {
      await acceptLastWill(willDeps, { session, worker, reason: 'left', detail: 'it said Goodbye after a drain' });
    },
  };
  const streams = new Streams({ clock, connections, pools, carrier, limitMs: options.stopLimitMs ?? STOP_LIMIT_MS });
  return {
    services: [createTrimmer({ ...base, limits: retention }), promoter, streams],
    counters,
    acceptWorker(link) {
      const connection = new WorkerConnection(link, connectionDeps);
      streams.admit(connection);
      return connection;
    },
    acceptOutput: (message, signal) => output.accept(message, signal),
    gone: (will) => acceptLastWill(willDeps, will),
    workers: () => listWorkers({ store, registry, connections, schedulerId, heartbeatIntervalMs }),
    connected: () => connections.list().filter(({ isServing }) => isServing).length,
    lead: (term, onStaleTerm) =>
      beginLeadership({ ...base, carrier, deadAfterMs: options.deadAfterMs ?? DEAD_AFTER_MS }, term, onStaleTerm),
  };
}

interface StreamsDeps {
  clock: Clock;
  connections: Connections;
  pools: PoolDispatchers;
  carrier: DeathCarrier;
  limitMs: number;
}

/** The workers' streams as a whole: how they end in good order. */
class Streams implements Service {
  readonly name = 'worker streams';
  private stopping: Promise<void> | undefined;

  constructor(private readonly deps: StreamsDeps) {}

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.stopping ??= this.leave();
    return this.stopping;
  }

  admit(connection: WorkerConnection): void {
    if (this.stopping !== undefined) {
      connection.end({ code: 'RECONNECT', detail: 'this scheduler stops' });
    }
  }

  /** No more claims, workers told to move, what was reported brought in, streams closed. */
  private async leave(): Promise<void> {
    const { clock, connections, pools, carrier, limitMs } = this.deps;
    const until = clock.monotonicMs() + limitMs;
    await Promise.all(pools.list().map((pool) => pool.stopClaims()));
    for (const connection of connections.list()) {
      connection.reconnect('this scheduler stops');
    }
    const isHolding = (): boolean => connections.list().length > 0 || pools.list().some((pool) => pool.unrecorded > 0);
    while (isHolding() && clock.monotonicMs() < until) {
      await sleep(clock, STOP_POLL_MS);
    }
    for (const connection of connections.list()) {
      connection.end({ code: 'RECONNECT', detail: 'this scheduler stops' });
    }
    await Promise.all([carrier.stop(), ...pools.list().map((pool) => pool.stop())]);
  }
}
