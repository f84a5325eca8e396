import type { Clock, Timer } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

/** After the last attempt has ended its report may take this long to be recorded. */
export const RECORD_LIMIT_MS = 10_000;
export const DEFAULT_DRAIN_TIMEOUT_MS = 30_000;

export interface DrainTarget {
  /** Something has not ended yet. */
  readonly isBusy: boolean;
  /** Nothing runs and everything is recorded. */
  readonly isEmpty: boolean;
  drain(): void;
  /** Kills what runs and hands it back. */
  handBack(): void;
}

export interface DrainParams {
  target: () => DrainTarget;
  /** For what runs; 0 = without limit. */
  timeoutMs: number;
  /** For the reports of what has ended. */
  recordLimitMs: number;
  clock: Clock;
  logger: Logger;
  /** Called once. */
  onDone(): void;
}

/**
 * A drain: takes nothing new, waits for what runs, hands back what takes too long, waits (not for ever) until all is
 * recorded. One over REST has no limit; a signal during it sets one.
 */
export class Drain {
  private begun = false;
  private done = false;
  private runTimer: Timer | undefined;
  private recordTimer: Timer | undefined;

  constructor(private readonly params: DrainParams) {}

  get isDraining(): boolean {
    return this.begun;
  }

  begin(limited: boolean): void {
    const { target, timeoutMs, clock } = this.params;
    if (!this.begun) {
      this.begun = true;
      this.params.logger.info('draining', { running: target().isBusy });
      target().drain();
    }
    if (!this.done && limited && timeoutMs > 0) {
      this.runTimer ??= clock.setTimer(timeoutMs, () => {
        this.params.logger.warn('the drain takes too long; what still runs is handed back', { timeoutMs });
        this.limitRecording();
        target().handBack();
      });
    }
    this.check();
  }

  /** What is held changed, or another session took over. */
  check(): void {
    if (!this.begun || this.done) {
      return;
    }
    const target = this.params.target();
    if (target.isEmpty) {
      this.finish();
    } else if (!target.isBusy) {
      this.limitRecording();
    }
  }

  private limitRecording(): void {
    this.recordTimer ??= this.params.clock.setTimer(this.params.recordLimitMs, () => {
      this.params.logger.warn('leaving although not everything is recorded; the rest will be taken for lost');
      this.finish();
    });
  }

  private finish(): void {
    if (!this.done) {
      this.done = true;
      this.runTimer?.cancel();
      this.recordTimer?.cancel();
      this.params.onDone();
    }
  }
}
