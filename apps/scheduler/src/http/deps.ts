import type { Clock, Ulid } from '@orchestrator/core';
import type { SessionRegistry } from '@orchestrator/heartbeat';
import type { QueueStore } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { SchedulerMetrics } from '../metrics.js';
import type { LongPolls } from './long-polls.js';
import type { Submitter } from './submitter.js';
import type { WorkerDirectory } from './worker-directory.js';

/** What the routes work with. */
export interface HttpDeps {
  /** The client that submits and reads; another one dispatches. */
  store: QueueStore;
  registry: SessionRegistry;
  workers: WorkerDirectory;
  submitter: Submitter;
  polls: LongPolls;
  metrics: SchedulerMetrics;
  newUlid(): Ulid;
  clock: Clock;
  logger: Logger;
  /** On the way down: a connection is told to close with its next answer, and its client goes elsewhere. */
  isStopping(): boolean;
  /** For /readyz. */
  status(): Promise<SchedulerStatus>;
}

/** As /readyz answers it. */
export interface SchedulerStatus {
  status: 'ready' | 'not_ready';
  id: string;
  version: string;
  /** This scheduler leads. */
  leader: boolean;
  /** What was taken; null until it is. */
  ports: { http: number | null; grpc: number | null };
  redis: 'ok' | 'unreachable';
  durability: string;
  /** Why it is not ready. */
  reason?: string;
}
