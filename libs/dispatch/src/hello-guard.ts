import type { Clock, Timer } from '@orchestrator/core';
import type { Hello } from '@orchestrator/proto-types';

import { MAX_POOLS } from './greeting.js';
import { MessageBudget, type MessageLimits } from './message-budget.js';
import type { CloseReason } from './worker-link.js';

/** A stream on which nobody says Hello costs something and is of no use. */
export const HELLO_WITHIN_MS = 10_000;
/** Each one asks the registry and each of its pools; after a loss of Redis it may be asked for one by each pool. */
export const HELLO_LIMITS: MessageLimits = { perSecond: 5, burst: 2 * MAX_POOLS };

/** What the Hellos of one stream may be together: a worker neither becomes another one nor serves ever new pools. */
export class HelloGuard {
  private readonly budget: MessageBudget;
  private readonly pools = new Set<string>();
  private worker: string | undefined;
  private readonly timer: Timer;

  constructor(clock: Clock, onLate: () => void) {
    this.budget = new MessageBudget(clock, HELLO_LIMITS);
    this.timer = clock.setTimer(HELLO_WITHIN_MS, onLate);
  }

  /** Why the stream has to end; undefined: it may go on. */
  refuse({ workerId, pools }: Hello): CloseReason | undefined {
    this.timer.cancel();
    if (!this.budget.take()) {
      return { code: 'FLOODING', detail: `more than ${HELLO_LIMITS.perSecond} Hellos a second` };
    }
    if (this.worker !== undefined && this.worker !== workerId) {
      return { code: 'PROTOCOL', detail: `worker "${this.worker}" says Hello as "${workerId}"` };
    }
    this.worker = workerId;
    pools.forEach((pool) => this.pools.add(pool));
    return this.pools.size > MAX_POOLS
      ? { code: 'PROTOCOL', detail: `it has named ${this.pools.size} pools: expected at most ${MAX_POOLS}` }
      : undefined;
  }

  /** The stream has ended. */
  close(): void {
    this.timer.cancel();
  }
}
