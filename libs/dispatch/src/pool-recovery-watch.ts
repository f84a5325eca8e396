import type { Clock, Timer } from '@orchestrator/core';
import type { SessionRegistry } from '@orchestrator/heartbeat';
import type { PoolRecovery, QueueStore } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { Assignee } from './assignee.js';
import type { DispatchCounters } from './counters.js';

export interface PoolRecoveryWatchDeps {
  store: QueueStore;
  registry: SessionRegistry;
  clock: Clock;
  logger: Logger;
  counters: DispatchCounters;
  /** The workers here whose gates in this pool are open. */
  assignees(): Iterable<Assignee>;
  /** A claim is worth trying again. */
  onReady(): void;
}

/** A session that is still awaited is asked again after so long. */
export const REHELLO_AGAIN_MS = 1_000;
const SESSIONS_LOGGED = 20;

interface Recovery {
  runId: string;
  sinceMs: number;
  isOver: boolean;
  hasAskedAll: boolean;
  /** When a session was asked to say Hello again. */
  askedAtMs: Map<string, number>;
}

/**
 * A pool on another server than it remembers (restart, failover) may have lost what was written last. This puts it into
 * recovery, asks those of its sessions that are connected here to say Hello again until each has reconciled, and sees
 * when it is over. Fed with what claims and the safety poll are answered.
 */
export class PoolRecoveryWatch {
  private current: Recovery | undefined;
  private beginning: Promise<void> | undefined;
  private ready: Timer | undefined;

  constructor(
    private readonly pool: string,
    private readonly deps: PoolRecoveryWatchDeps,
  ) {}

  /** A claim was answered, or a look. */
  heard(recovery: PoolRecovery | undefined): void {
    if (recovery === undefined) {
      this.over();
      return;
    }
    const current = this.notice(recovery);
    if (recovery.begun) {
      const awaited = new Set(recovery.awaited);
      // Once also who is not awaited: its very registration may be in the lost tail.
      const isOld = ({ welcomedAtMs }: Assignee): boolean => !current.hasAskedAll && welcomedAtMs <= current.sinceMs;
      this.askForHellos(current, (assignee) => awaited.has(assignee.session) || isOld(assignee));
      current.hasAskedAll = true;
      this.aim(recovery.notBeforeMs);
    } else {
      void this.begin();
    }
  }

  stop(): void {
    this.ready?.cancel();
    this.ready = undefined;
  }

  private notice({ runId, awaited, begun }: PoolRecovery): Recovery {
    if (this.current?.runId === runId) {
      this.current.isOver = false;
      return this.current;
    }
    const { clock, counters, logger } = this.deps;
    const current: Recovery = {
      runId,
      sinceMs: clock.monotonicMs(),
      isOver: false,
      hasAskedAll: false,
      askedAtMs: new Map(),
    };
    this.current = current;
    counters.recoveries += 1;
    logger.warn('a pool is on another server: nothing is claimed until its sessions have said what they hold', {
      runId,
      begun,
      awaited: awaited.length,
      sessions: awaited.slice(0, SESSIONS_LOGGED),
    });
    return current;
  }

  private over(): void {
    const { current } = this;
    if (current !== undefined && !current.isOver) {
      current.isOver = true;
      this.stop();
      const tookMs = Math.round(this.deps.clock.monotonicMs() - current.sinceMs);
      this.deps.logger.info('the recovery of a pool is over', { runId: current.runId, tookMs });
      this.deps.onReady();
    }
  }

  /** One at a time; what fails is tried again at the next look. */
  private begin(): Promise<void> {
    this.beginning ??= (async () => {
      let answer: PoolRecovery | undefined;
      try {
        const { sessions } = await this.deps.registry.look();
        const living = sessions.filter(({ state, info }) => state !== 'dead' && info.pools.includes(this.pool));
        answer = await this.deps.store.beginRecovery(
          this.pool,
          living.map(({ session }) => session),
        );
      } catch (error) {
        this.deps.logger.debug('the recovery of a pool could not be begun; tried again soon', { error });
        return;
      } finally {
        this.beginning = undefined;
      }
      this.heard(answer);
    })();
    return this.beginning;
  }

  private askForHellos({ askedAtMs }: Recovery, which: (assignee: Assignee) => boolean): void {
    const nowMs = this.deps.clock.monotonicMs();
    for (const assignee of [...this.deps.assignees()]) {
      const dueAtMs = (askedAtMs.get(assignee.session) ?? Number.NEGATIVE_INFINITY) + REHELLO_AGAIN_MS;
      if (dueAtMs <= nowMs && which(assignee)) {
        askedAtMs.set(assignee.session, nowMs);
        assignee.rehello(`pool "${this.pool}" is in recovery`);
      }
    }
  }

  private aim(inMs: number): void {
    if (inMs > 0) {
      this.ready ??= this.deps.clock.setTimer(inMs, () => {
        this.ready = undefined;
        this.deps.onReady();
      });
    }
  }
}
