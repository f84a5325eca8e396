import type { SessionJudge, SessionRegistry } from '@orchestrator/heartbeat';
import type { QueueStore } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { DeathCarrier } from './death-carrier.js';

export interface SweeperDeps {
  store: QueueStore;
  registry: SessionRegistry;
  carrier: DeathCarrier;
  logger: Logger;
}

export const SWEEP_INTERVAL_MS = 5_000;

/**
 * The leader's sweep: reads the gates of all pools, lets the judge compare them with the registry, and carries out what
 * it answers, whether or not that was done before. Gates are read first: a session is registered before its gate opens,
 * so one that the registry does not know afterwards was lost.
 */
export async function sweep(judge: SessionJudge, deps: SweeperDeps, signal: AbortSignal): Promise<void> {
  const poolsBySession = new Map<string, string[]>();
  let complete = true;
  for (const pool of await deps.store.pools()) {
    try {
      for (const session of (await deps.store.gates(pool)).keys()) {
        const pools = poolsBySession.get(session);
        if (pools === undefined) {
          poolsBySession.set(session, [pool]);
        } else {
          pools.push(pool);
        }
      }
    } catch (error) {
      complete = false;
      deps.logger.warn('the gates of a pool could not be read; the next sweep does', { pool, error });
    }
  }
  if (signal.aborted) {
    return;
  }
  for (const death of await judge.sweep(poolsBySession.keys())) {
    void deps.carrier.carryOut(death, poolsBySession.get(death.session));
  }
  if (complete) {
    await deps.registry.forget(new Set(poolsBySession.keys()));
  }
}
