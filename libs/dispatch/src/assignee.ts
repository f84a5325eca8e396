import type { AttemptRef, SchedulerMessage } from '@orchestrator/proto-types';
import type { ClaimedJob, PendingOrder } from '@orchestrator/queue';

import type { CreditShare } from './credit-account.js';

/** What a pool may take of a worker's credit in this turn. */
export interface Offer extends CreditShare {
  epoch: number;
}

/** A connected worker, as a pool sees it. */
export interface Assignee {
  readonly session: string;
  readonly worker: string;
  /** By the monotonic clock; of its last Welcome. */
  readonly welcomedAtMs: number;
  /** Undefined when nothing may be claimed for it now: no credit, not welcomed, draining, or another pool's turn. */
  offer(pool: string): Offer | undefined;
  reserve(pool: string, jobs: number): void;
  /** Of what was reserved under this epoch so much was claimed. Drops it all when the epoch is no longer current. */
  assign(pool: string, epoch: number, reserved: number, jobs: readonly ClaimedJob[]): void;
  recorded(refs: readonly AttemptRef[]): void;
  order(pool: string, orders: readonly PendingOrder[]): void;
  send(message: SchedulerMessage): void;
  /** Nothing is claimed for it until it has said Hello again. */
  rehello(reason: string): void;
}
