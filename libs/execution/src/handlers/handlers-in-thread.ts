import type { Timer } from '@orchestrator/core';

import type { Deferred } from '../deferred.js';
import type { EndRequest } from './handler-end.js';
import type { HandlerToRun } from './handler-wire.js';

/** One that is with the thread: it runs, or waits there for a slot. */
export interface HandlerInThread {
  readonly attempt: HandlerToRun;
  readonly cell: number;
  /** Undefined: not known to have started. */
  startedAtMs: number | undefined;
  startedAtWallMs: number;
  timer: Timer | undefined;
  endRequest: EndRequest | undefined;
  /** It is being killed: settled when it has ended, and nothing is reported. */
  killed: Deferred<void> | undefined;
}

/** All that are with the thread, by attempt and by cell. */
export class HandlersInThread {
  private readonly byId = new Map<string, HandlerInThread>();
  private readonly byCell: (HandlerInThread | undefined)[] = [];
  private bound = 0;

  add(attempt: HandlerToRun, cell: number): void {
    const handler: HandlerInThread = {
      attempt,
      cell,
      startedAtMs: undefined,
      startedAtWallMs: 0,
      timer: undefined,
      endRequest: undefined,
      killed: undefined,
    };
    this.byId.set(attempt.attemptId, handler);
    this.byCell[cell] = handler;
    this.bound += isBound(attempt) ? 1 : 0;
  }

  get(attemptId: string): HandlerInThread | undefined {
    return this.byId.get(attemptId);
  }

  at(cell: number): HandlerInThread | undefined {
    return this.byCell[cell];
  }

  remove(handler: HandlerInThread): void {
    if (this.byId.delete(handler.attempt.attemptId)) {
      this.byCell[handler.cell] = undefined;
      this.bound -= isBound(handler.attempt) ? 1 : 0;
      handler.timer?.cancel();
      handler.killed?.resolve();
    }
  }

  all(): HandlerInThread[] {
    return [...this.byId.values()];
  }

  get size(): number {
    return this.byId.size;
  }

  /** Some must not go on without a lease. */
  get anyBound(): boolean {
    return this.bound > 0;
  }
}

function isBound({ onLeaseLost }: HandlerToRun): boolean {
  return onLeaseLost !== 'continue';
}
