import type { Clock, Random } from '@orchestrator/core';
import { type Death, SessionJudge } from '@orchestrator/heartbeat';
import { createDeferred, PeriodicService } from '@orchestrator/lifecycle';

import type { DispatchCounters } from './counters.js';
import { sweep, SWEEP_INTERVAL_MS, type SweeperDeps } from './sweeper.js';

export interface LeaderDutiesDeps extends SweeperDeps {
  clock: Clock;
  random: Random;
  counters: DispatchCounters;
  /** A session was found dead; it may be connected here. */
  onDeath(death: Death): void;
  /** Default: the judge's. */
  deadAfterMs?: number;
  /** Default: the judge's. */
  lookIntervalMs?: number;
  /** Default `SWEEP_INTERVAL_MS`. */
  sweepIntervalMs?: number;
}

/**
 * What only a leader does: judges sessions and sweeps gates, under one term, until the signal aborts or somebody else
 * turns out to have a higher one.
 */
export async function lead(deps: LeaderDutiesDeps, term: number, signal: AbortSignal): Promise<void> {
  const { registry, carrier, clock, random, deadAfterMs, lookIntervalMs, sweepIntervalMs = SWEEP_INTERVAL_MS } = deps;
  const logger = deps.logger.child({ term });
  const ended = createDeferred();
  const judge = new SessionJudge({
    registry,
    term,
    clock,
    random,
    logger,
    ...(deadAfterMs === undefined ? {} : { deadAfterMs }),
    ...(lookIntervalMs === undefined ? {} : { intervalMs: lookIntervalMs }),
    // Not awaited: one pool that cannot be reached holds up no other verdict.
    onDeath: (death) => {
      deps.onDeath(death);
      void carrier.carryOut(death);
    },
    onStaleTerm: (error) => {
      deps.counters.staleTerms += 1;
      logger.warn('stepping down: another scheduler has a higher term', { error });
      ended.resolve();
    },
  });
  const sweeper = new PeriodicService({
    name: 'sweeper',
    intervalMs: sweepIntervalMs,
    clock,
    random,
    logger,
    run: (stopping) => sweep(judge, { ...deps, logger }, stopping),
  });
  if (!signal.aborted) {
    signal.addEventListener('abort', () => ended.resolve(), { once: true });
    await Promise.all([judge.start(), sweeper.start()]);
    await ended.promise;
    await Promise.all([sweeper.stop(), judge.stop()]);
  }
}
