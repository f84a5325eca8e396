import { OrchestratorError } from '@orchestrator/core';
import type { Death, DeathReason, SessionRegistry } from '@orchestrator/heartbeat';
import type { Logger } from '@orchestrator/telemetry';

import type { Connections } from './connections.js';
import type { DeathCarrier } from './death-carrier.js';

/** Thrown when somebody speaks for a session that is another worker's. */
export class ForeignSessionError extends OrchestratorError {
  constructor(session: string, worker: string) {
    super('FOREIGN_SESSION', `session "${session}" is not one of worker "${worker}"`);
  }
}

export interface LastWill {
  worker: string;
  session: string;
  reason: Extract<DeathReason, 'process_ended' | 'superseded' | 'left'>;
  /** For people. */
  detail: string;
}

export interface LastWillDeps {
  registry: SessionRegistry;
  carrier: DeathCarrier;
  connections: Connections;
  logger: Logger;
}

/**
 * Takes a session's last will: its death is declared at once, its stream here is ended, and its jobs are given away.
 * Resolves when the death is a fact; carrying it out goes on. Rejects when the registry could not be asked.
 * @throws {ForeignSessionError}
 */
export async function acceptLastWill(deps: LastWillDeps, will: LastWill): Promise<Death | undefined> {
  const { registry, carrier, connections, logger } = deps;
  const { session, worker, reason, detail } = will;
  const record = await registry.get(session);
  // One that only gates knew was entered without a worker.
  if (record !== undefined && record.worker !== '' && record.worker !== worker) {
    throw new ForeignSessionError(session, worker);
  }
  const death = record && (await registry.declareGone(session, reason));
  if (death === undefined) {
    logger.warn('a last will of an unknown session', { session, worker, reason, detail });
    return undefined;
  }
  logger.info('a session is gone', { session, worker, reason: death.reason, detail });
  if (reason !== 'left') {
    connections.get(session)?.end({ code: 'LEFT', detail });
  }
  void carrier.carryOut(death);
  return death;
}
