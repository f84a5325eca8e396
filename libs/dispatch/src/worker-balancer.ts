import type { Clock, Random } from '@orchestrator/core';
import type { SchedulerPresence, SessionRegistry, VersionWatch } from '@orchestrator/heartbeat';
import { PeriodicService } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';

import type { DispatchCounters } from './counters.js';
import type { WorkerConnection } from './worker-connection.js';

export interface WorkerBalancerDeps {
  schedulerId: string;
  registry: SessionRegistry;
  clock: Clock;
  random: Random;
  logger: Logger;
  counters: DispatchCounters;
  versions: VersionWatch;
  workers(): readonly WorkerConnection[];
  /** A worker is left alone for so long after its Welcome. Default `SETTLED_MS`. */
  settledMs?: number | undefined;
}

export const BALANCE_INTERVAL_MS = 5_000;
export const SETTLED_MS = 15_000;
/** One that was told to move and came back here knows no other scheduler: it is not told again for so long. */
export const CAME_BACK_MS = 600_000;
/** Of a scheduler's fair share: so many more are no reason to move anybody. */
const TOLERANCE = 0.1;
/** Of the excess, at least one worker: no reconnect storm. */
const MOVED_PER_ROUND = 0.1;

/** How many workers a scheduler should send away now, given how many each of them serves. */
export function excessWorkers(own: number, others: readonly number[]): number {
  const total = others.reduce((sum, workers) => sum + workers, own);
  const fair = Math.ceil(total / (others.length + 1));
  const excess = own - fair;
  return excess > Math.floor(fair * TOLERANCE) ? Math.max(1, Math.floor(excess * MOVED_PER_ROUND)) : 0;
}

/**
 * Spreads workers over the schedulers there are: one that serves more than its fair share sends a few of them away each
 * round, never below that share, and those first that have nothing to do. They dial the next scheduler of their list and
 * take what they run with them. Where loads are equal nothing moves.
 */
export class WorkerBalancer extends PeriodicService {
  constructor(deps: WorkerBalancerDeps) {
    const { clock, random, logger } = deps;
    const toldAtMs = new Map<string, number>();
    super({
      name: 'worker balancer',
      intervalMs: BALANCE_INTERVAL_MS,
      jitter: 0.3,
      clock,
      random,
      logger,
      run: () => balance(deps, toldAtMs),
    });
  }
}

async function balance(deps: WorkerBalancerDeps, toldAtMs: Map<string, number>): Promise<void> {
  const { schedulerId, registry, clock, counters, logger, versions, settledMs = SETTLED_MS } = deps;
  const schedulers = await registry.schedulers();
  schedulers.forEach(({ id, version }) => versions.saw('scheduler', id, version));
  const others = schedulers.filter(({ id }: SchedulerPresence) => id !== schedulerId).map(({ workers }) => workers);
  const nowMs = clock.monotonicMs();
  for (const [session, atMs] of toldAtMs) {
    if (nowMs - atMs > CAME_BACK_MS) {
      toldAtMs.delete(session);
    }
  }
  // Who was told and has not left yet is as good as gone.
  const own = deps.workers().filter(({ isServing, isMoving }) => isServing && !isMoving);
  const many = others.length === 0 ? 0 : excessWorkers(own.length, others);
  const movable = own
    .filter(({ session, isDraining, welcomedAtMs }) => {
      return !isDraining && nowMs - welcomedAtMs >= settledMs && !toldAtMs.has(session);
    })
    .sort((a, b) => a.load - b.load);
  for (const worker of movable.slice(0, many)) {
    toldAtMs.set(worker.session, nowMs);
    counters.balanced += 1;
    logger.info('worker told to move to a scheduler with fewer', { worker: worker.worker, own: own.length, others });
    worker.reconnect('another scheduler serves fewer workers');
  }
}
