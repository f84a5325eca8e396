import type { Clock } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { createDeferred } from './deferred.js';
import type { Service } from './service.js';

/** The part of `process` that is needed. */
export interface SignalHost {
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  off(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  exit(code: number): unknown;
}

export interface RunUntilSignalParams {
  service: Service;
  /** `process`. */
  host: SignalHost;
  clock: Clock;
  logger: Logger;
  /** Resolves with an exit code when the program ends by itself. The service is then stopped, too. */
  ended?: Promise<number>;
}

/**
 * A signal this soon after the first one is the same wish, delivered twice. Ctrl-C in a terminal goes to the whole
 * foreground process group, so we get it directly AND from npm (or another parent), which passes on what it gets
 * itself; it may even arrive as SIGINT once and SIGTERM once. The copy comes within a few milliseconds, while no person
 * presses twice within a tenth of a second. A copy that is later than this stops the program at once instead of in
 * order: safe, since whatever we hold is made to survive that.
 */
export const SAME_PRESS_MS = 100;

export const EXIT_OK = 0;
export const EXIT_AT_ONCE = 1;
/** It failed while it ran, or its orderly stop did. */
export const EXIT_FAILED = 1;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Starts the service and runs it until SIGTERM or SIGINT, then stops it in order and exits with 0; a second signal
 * exits with 1 at once, whatever the stop is doing. A failing start is thrown (the caller knows its exit code) unless a
 * signal came first. With a host whose `exit` returns, answers the exit code.
 */
export async function runUntilSignal(params: RunUntilSignalParams): Promise<number> {
  const { service, host, clock, logger } = params;
  const asked = createDeferred<number>();
  const atOnce = createDeferred<'at once'>();
  let firstAtMs: number | undefined;
  const listeners = SIGNALS.map((signal) => {
    const listener = (): void => {
      if (firstAtMs === undefined) {
        firstAtMs = clock.monotonicMs();
        logger.info('stopping; a second signal stops at once', { signal });
        asked.resolve(EXIT_OK);
      } else if (clock.monotonicMs() - firstAtMs > SAME_PRESS_MS) {
        logger.warn('second signal: stopping at once', { signal });
        host.exit(EXIT_AT_ONCE);
        atOnce.resolve('at once');
      }
    };
    host.on(signal, listener);
    return { signal, listener };
  });
  void params.ended?.then(asked.resolve, (error: unknown) => {
    logger.error('the program failed', { error });
    asked.resolve(EXIT_FAILED);
  });

  try {
    const started = service.start();
    await Promise.race([started, asked.promise]);
    const code = await asked.promise;
    started.catch((error: unknown) => logger.warn('the start was cut short', { error }));
    const stopped = await Promise.race([stopInOrder(service, logger), atOnce.promise]);
    if (stopped === 'at once') {
      return EXIT_AT_ONCE;
    }
    const exitCode = stopped ? code : EXIT_FAILED;
    host.exit(exitCode);
    return exitCode;
  } finally {
    for (const { signal, listener } of listeners) {
      host.off(signal, listener);
    }
  }
}

async function stopInOrder(service: Service, logger: Logger): Promise<boolean> {
  try {
    await service.stop();
    return true;
  } catch (error) {
    logger.error('the orderly stop failed', { error });
    return false;
  }
}
