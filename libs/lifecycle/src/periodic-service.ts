import { type Clock, InvalidValueError, type Random, type Timer } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import type { Service } from './service.js';

export interface PeriodicServiceParams {
  name: string;
  /** From the end of a run to the beginning of the next. */
  intervalMs: number;
  /** Each wait lies in intervalMs * (1 ± jitter). Default 0.1. */
  jitter?: number;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** The signal aborts when the service stops; what it throws is logged and the next run comes all the same. */
  run(signal: AbortSignal): Promise<void>;
}

const DEFAULT_JITTER = 0.1;

/**
 * Does something again and again, never twice at a time. The first run comes after a random part of one interval, so
 * that many processes started together do not beat together. It may be started again after it was stopped.
 */
export class PeriodicService implements Service {
  readonly name: string;
  private started = false;
  private stopping = new AbortController();
  private failuresInARow = 0;
  private timer: Timer | undefined;
  private current: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  constructor(private readonly params: PeriodicServiceParams) {
    const { name, intervalMs, jitter = DEFAULT_JITTER } = params;
    if (!(intervalMs > 0) || !(jitter >= 0 && jitter < 1)) {
      throw new InvalidValueError(
        'intervalMs',
        `service "${name}" has intervalMs ${intervalMs} and jitter ${jitter}: expected intervalMs > 0, 0 <= jitter < 1`,
      );
    }
    this.name = name;
  }

  async start(): Promise<void> {
    if (this.started) {
      return;
    }
    this.started = true;
    this.stopping = new AbortController();
    this.schedule(this.params.intervalMs * this.params.random.next(), this.stopping.signal);
  }

  /** Aborts the run under way and waits for its end. */
  async stop(): Promise<void> {
    this.started = false;
    this.stopping.abort();
    this.timer?.cancel();
    await this.current?.catch(() => undefined);
  }

  /**
   * One run, begun after this call: with one under way it waits for its end first, and those who wait share the next
   * one. Works without `start`, does nothing after `stop`. Rejects with what `run` throws.
   */
  runOnce(): Promise<void> {
    if (this.next === undefined && this.current === undefined) {
      return this.begin();
    }
    this.next ??= (this.current ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        return this.begin();
      });
    return this.next;
  }

  private begin(): Promise<void> {
    const { signal } = this.stopping;
    if (signal.aborted) {
      return Promise.resolve();
    }
    const run = (async () => this.params.run(signal))().finally(() => {
      if (this.current === run) {
        this.current = undefined;
      }
    });
    this.current = run;
    return run;
  }

  private schedule(delayMs: number, signal: AbortSignal): void {
    this.timer = this.params.clock.setTimer(delayMs, () => void this.tick(signal));
  }

  private async tick(signal: AbortSignal): Promise<void> {
    try {
      await this.runOnce();
      this.recovered();
    } catch (error) {
      if (!signal.aborted) {
        this.failed(error);
      }
    }
    if (!signal.aborted) {
      const { intervalMs, jitter = DEFAULT_JITTER, random } = this.params;
      this.schedule(intervalMs * (1 - jitter + 2 * jitter * random.next()), signal);
    }
  }

  /** An outage is told once, not at every try. */
  private failed(error: unknown): void {
    const { logger } = this.params;
    this.failuresInARow += 1;
    const fields = { service: this.name, error };
    if (this.failuresInARow === 1) {
      logger.warn('a periodic run failed; it will be tried again', fields);
    } else {
      logger.debug('a periodic run failed again', { ...fields, failures: this.failuresInARow });
    }
  }

  private recovered(): void {
    if (this.failuresInARow > 0) {
      this.params.logger.info('a periodic run works again', { service: this.name, failures: this.failuresInARow });
      this.failuresInARow = 0;
    }
  }
}
