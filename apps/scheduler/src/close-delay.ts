import { type Clock, sleep } from '@orchestrator/core';
import { DEFAULT_STOP_LIMIT_MS, type Service } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';

export interface CloseDelayParams {
  delayMs: number;
  clock: Clock;
  logger: Logger;
}

/**
 * What was started before it goes on answering for so long after what was started behind it has stopped: /readyz says 503
 * already, and a load balancer needs a moment to notice.
 */
export class CloseDelay implements Service {
  readonly name = 'close delay';
  readonly stopLimitMs: number;
  readonly #params: CloseDelayParams;
  #isStarted = false;
  #waiting: Promise<void> | undefined;

  constructor(params: CloseDelayParams) {
    this.#params = params;
    this.stopLimitMs = params.delayMs + DEFAULT_STOP_LIMIT_MS;
  }

  async start(): Promise<void> {
    this.#isStarted = true;
  }

  /** Nobody was ever sent here before the start was through. */
  stop(): Promise<void> {
    this.#waiting ??= this.#isStarted ? this.#wait() : Promise.resolve();
    return this.#waiting;
  }

  async #wait(): Promise<void> {
    const { delayMs, clock, logger } = this.#params;
    if (delayMs > 0) {
      logger.info('requests are still answered for http.closeDelay', { delayMs });
      await sleep(clock, delayMs);
    }
  }
}
