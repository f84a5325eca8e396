import type { Clock } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import type { Service } from './service.js';
import { withTimeout } from './with-timeout.js';

export interface ServiceListDeps {
  clock: Clock;
  logger: Logger;
  /** For the stop of each service; whoever needs longer is left behind. Default `DEFAULT_STOP_LIMIT_MS`; 0 = none. */
  stopLimitMs?: number;
}

export const DEFAULT_STOP_LIMIT_MS = 10_000;

/**
 * Starts in order. When one fails, it and those before it are stopped in reverse order, and its error is thrown. With
 * an aborted signal nothing more is started.
 */
export async function startAll(
  services: readonly Service[],
  deps: ServiceListDeps,
  signal?: AbortSignal,
): Promise<void> {
  for (const [index, service] of services.entries()) {
    if (signal?.aborted) {
      return;
    }
    try {
      await service.start();
      deps.logger.debug('service started', { service: service.name });
    } catch (error) {
      await stopAll(services.slice(0, index + 1), deps);
      throw error;
    }
  }
}

/**
 * Stops in reverse order, each within the limit. Never throws: what fails or takes too long is logged, the others are
 * stopped all the same.
 * @returns the names of those that did not stop properly.
 */
export async function stopAll(services: readonly Service[], deps: ServiceListDeps): Promise<string[]> {
  const { clock, logger, stopLimitMs = DEFAULT_STOP_LIMIT_MS } = deps;
  const failed: string[] = [];
  for (const service of [...services].reverse()) {
    const limitMs = stopLimitMs > 0 ? Math.max(stopLimitMs, service.stopLimitMs ?? 0) : 0;
    try {
      const stopped = service.stop();
      await (limitMs > 0 ? withTimeout(clock, limitMs, `stopping ${service.name}`, stopped) : stopped);
      logger.debug('service stopped', { service: service.name });
    } catch (error) {
      failed.push(service.name);
      logger.error('a service did not stop properly', { service: service.name, error });
    }
  }
  return failed;
}

/** The visible list of what an app runs, in the order of starting; as a whole a service again. */
export class ServiceList implements Service {
  private starting: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;
  private readonly stopped = new AbortController();

  constructor(
    readonly name: string,
    private readonly services: readonly Service[],
    private readonly deps: ServiceListDeps,
  ) {}

  /** A list that was stopped is not started again. */
  start(): Promise<void> {
    this.starting ??= startAll(this.services, this.deps, this.stopped.signal);
    return this.starting;
  }

  /** During `start` it stops what has been asked to start, the rest is not started any more. */
  stop(): Promise<void> {
    this.stopped.abort();
    this.stopping ??= stopAll(this.services, this.deps).then(() => undefined);
    return this.stopping;
  }
}
