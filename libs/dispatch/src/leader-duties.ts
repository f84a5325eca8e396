import type { Clock, Random } from '@orchestrator/core';
import { SessionJudge } from '@orchestrator/heartbeat';
import { PeriodicService } from '@orchestrator/lifecycle';

import { sweep, SWEEP_INTERVAL_MS, type SweeperDeps } from './sweeper.js';

export interface LeaderDutiesDeps extends SweeperDeps {
  clock: Clock;
  random: Random;
  /** Default: the judge's. */
  deadAfterMs?: number;
  /** Default: the judge's. */
  lookIntervalMs?: number;
  /** Default `SWEEP_INTERVAL_MS`. */
  sweepIntervalMs?: number;
}

/** What only a leader does, for one term: it judges sessions and sweeps gates. */
export interface Leadership {
  readonly term: number;
  readonly judge: SessionJudge;
  sweepOnce(): Promise<void>;
  stop(): Promise<void>;
}

/** Begins both; `onStaleTerm`: somebody else has a higher term. */
export async function beginLeadership(
  deps: LeaderDutiesDeps,
  term: number,
  onStaleTerm: () => void,
): Promise<Leadership> {
  const { registry, carrier, clock, random, deadAfterMs, lookIntervalMs, sweepIntervalMs = SWEEP_INTERVAL_MS } = deps;
  const logger = deps.logger.child({ term });
  const judge = new SessionJudge({
    registry,
    term,
    clock,
    random,
    logger,
    ...(deadAfterMs === undefined ? {} : { deadAfterMs }),
    ...(lookIntervalMs === undefined ? {} : { intervalMs: lookIntervalMs }),
    // Not awaited: one pool that cannot be reached holds up no other verdict.
    onDeath: (death) => void carrier.carryOut(death),
    onStaleTerm,
  });
  const sweeper = new PeriodicService({
    name: 'sweeper',
    intervalMs: sweepIntervalMs,
    clock,
    random,
    logger,
    run: (signal) => sweep(judge, { ...deps, logger }, signal),
  });
  await judge.start();
  await sweeper.start();
  return {
    term,
    judge,
    sweepOnce: () => sweeper.runOnce(),
    async stop() {
      await Promise.all([sweeper.stop(), judge.stop()]);
    },
  };
}
