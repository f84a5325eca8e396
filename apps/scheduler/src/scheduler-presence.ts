import type { Clock, Random } from '@orchestrator/core';
import {
  ANNOUNCE_INTERVAL_MS,
  type SchedulerPresence as Presence,
  type SessionRegistry,
} from '@orchestrator/heartbeat';
import { PeriodicService, type Service } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';

export interface SchedulerPresenceParams {
  registry: Pick<SessionRegistry, 'announce' | 'withdraw'>;
  presence(): Presence;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/** Tells the other schedulers that this one is there, so that workers are spread over all of them. */
export class SchedulerPresence implements Service {
  readonly name = 'presence';
  readonly #params: SchedulerPresenceParams;
  readonly #loop: PeriodicService;

  constructor(params: SchedulerPresenceParams) {
    const { registry, clock, random, logger } = params;
    this.#params = params;
    this.#loop = new PeriodicService({
      name: this.name,
      intervalMs: ANNOUNCE_INTERVAL_MS,
      clock,
      random,
      logger,
      run: () => registry.announce(params.presence()),
    });
  }

  /** At once, too, but nobody waits for it: Redis may be away, which the next run tells. */
  start(): Promise<void> {
    void this.#loop.runOnce().catch(() => undefined);
    return this.#loop.start();
  }

  async stop(): Promise<void> {
    const { registry, logger } = this.#params;
    await this.#loop.stop();
    try {
      await registry.withdraw(this.#params.presence().id);
    } catch (error) {
      logger.debug('could not withdraw; the others notice within seconds', { error });
    }
  }
}
