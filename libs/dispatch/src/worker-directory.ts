import type { JobId } from '@orchestrator/core';
import { isSuspect, type SessionRecord, type SessionRegistry } from '@orchestrator/heartbeat';
import type { QueueStore } from '@orchestrator/queue';

import type { Connections } from './connections.js';

/** A worker as users see it. */
export interface WorkerView {
  id: string;
  session: string;
  state: 'alive' | 'draining' | 'dead';
  /** `suspect`: not heard of for two intervals, or its stream to this scheduler has broken. */
  health: 'ok' | 'suspect';
  pools: string[];
  slots: number;
  freeSlots: number;
  running: JobId[];
  labels: Record<string, string>;
  version: string;
  host: string;
  pid: number;
  /** Id of the scheduler that it said Hello to. */
  connectedTo: string;
  load: number;
  memoryUsedBytes: number;
  memoryTotalBytes: number;
  startedAt: number;
  lastHeartbeatAt: number;
  diedAt: number | null;
  deathReason: string | null;
}

export interface WorkerDirectoryDeps {
  store: QueueStore;
  registry: SessionRegistry;
  connections: Connections;
  schedulerId: string;
  heartbeatIntervalMs: number;
}

/** Running jobs that are looked at for one answer. */
const MAX_RUNNING = 1_000;

/**
 * The workers of all schedulers, one entry per worker id: the session in place, else the one that died last. Rejects when
 * Redis cannot be asked.
 */
export async function listWorkers(deps: WorkerDirectoryDeps): Promise<WorkerView[]> {
  const [look, page] = await Promise.all([
    deps.registry.look(),
    deps.store.listJobs({ states: ['running'] }, { limit: MAX_RUNNING }),
  ]);
  const running = new Map<string, JobId[]>();
  for (const { session, id } of page.jobs) {
    if (session !== null) {
      running.set(session, [...(running.get(session) ?? []), id]);
    }
  }
  const byWorker = new Map<string, SessionRecord>();
  for (const record of look.sessions) {
    const other = byWorker.get(record.worker);
    if (record.worker !== '' && (other === undefined || isBetter(record, other))) {
      byWorker.set(record.worker, record);
    }
  }
  return [...byWorker.values()]
    .map((record) => toView(record, running.get(record.session) ?? [], look.now, deps))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

const RANK = { alive: 2, superseded: 1, dead: 0 } as const;

function isBetter(a: SessionRecord, b: SessionRecord): boolean {
  return RANK[a.state] !== RANK[b.state] ? RANK[a.state] > RANK[b.state] : a.firstEpoch > b.firstEpoch;
}

function toView(record: SessionRecord, running: JobId[], now: number, deps: WorkerDirectoryDeps): WorkerView {
  const { info, death } = record;
  const isBroken = record.scheduler === deps.schedulerId && deps.connections.get(record.session) === undefined;
  const suspect = record.state !== 'dead' && (isBroken || isSuspect(record, now, deps.heartbeatIntervalMs));
  return {
    id: record.worker,
    session: record.session,
    state: record.state === 'dead' ? 'dead' : record.draining ? 'draining' : 'alive',
    health: suspect ? 'suspect' : 'ok',
    pools: [...info.pools],
    slots: info.slots,
    freeSlots: record.freeSlots,
    running,
    labels: { ...info.labels },
    version: info.version,
    host: info.host,
    pid: info.pid,
    connectedTo: record.scheduler,
    load: record.load,
    memoryUsedBytes: record.memoryUsedBytes,
    memoryTotalBytes: record.memoryTotalBytes,
    startedAt: record.startedAt,
    lastHeartbeatAt: record.lastRenewedAt,
    diedAt: death?.declaredAt ?? null,
    deathReason: death?.reason ?? null,
  };
}
