import { type Clock, sleep } from '@orchestrator/core';
import { HandlerLoadError } from '@orchestrator/execution';
import type { Logger } from '@orchestrator/telemetry';

import { RunnerStartError } from './errors.js';

/** What a worker waits, at most, for what runs its attempts to start; a host that is short of something gets over it. */
export const START_LIMIT_MS = 60_000;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 5_000;

export interface StartRetriesParams {
  clock: Clock;
  logger: Logger;
  limitMs: number;
}

/** The starts of what runs attempts that fail one after the other, from the first that did. */
export class StartRetries {
  private sinceMs: number | undefined;
  private waitMs = FIRST_WAIT_MS;

  constructor(private readonly params: StartRetriesParams) {}

  succeeded(): void {
    this.sinceMs = undefined;
    this.waitMs = FIRST_WAIT_MS;
  }

  /**
   * Says so and waits, a little longer each time.
   * @throws {HandlerLoadError} as given: a module that does not load is a wrong configuration.
   * @throws {RunnerStartError} when they have failed for too long.
   */
  async failed(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, logger, limitMs } = this.params;
    const now = clock.monotonicMs();
    const sinceMs = (this.sinceMs ??= now);
    if (error instanceof HandlerLoadError) {
      throw error;
    }
    const detail = error instanceof Error ? error.message : String(error);
    if (now - sinceMs >= limitMs) {
      throw new RunnerStartError(limitMs, detail, { cause: error });
    }
    const { waitMs } = this;
    this.waitMs = Math.min(2 * waitMs, MAX_WAIT_MS);
    const givingUpInMs = limitMs - (now - sinceMs);
    logger.error('cannot run anything yet, so no scheduler is told of this worker; trying again', {
      detail,
      waitMs,
      givingUpInMs,
    });
    await sleep(clock, waitMs, signal);
  }
}
