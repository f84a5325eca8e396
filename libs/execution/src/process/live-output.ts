import type { Clock, Timer } from '@orchestrator/core';

import type { ExecutorOutput } from '../executor.js';
import type { AttemptOutput } from './attempt-output.js';

/** With `BYTES_PER_TICK` the greatest rate of one attempt: 256 KiB a second. */
export const TICK_MS = 250;
export const BYTES_PER_TICK = 64 * 1024;
/** What ends sooner hands its output over with its end, in one piece. */
const NOT_BEFORE_MS = 200;

export interface LiveOutputParams {
  clock: Clock;
  send: (chunk: ExecutorOutput) => void;
  /** What was sent before has not gone out yet. */
  congested: () => boolean;
}

/** Sends the output of running attempts while they run, at a bounded rate: one timer for all of them. */
export class LiveOutput {
  private readonly waiting = new Map<AttemptOutput, number>();
  private timer: Timer | undefined;

  constructor(private readonly params: LiveOutputParams) {}

  /** Something was captured. */
  notice(output: AttemptOutput, startedAtMs: number): void {
    if (!this.waiting.has(output)) {
      this.waiting.set(output, startedAtMs);
      this.timer ??= this.params.clock.setTimer(TICK_MS, () => this.tick());
    }
  }

  /** It has ended: the rest goes with its end. */
  forget(output: AttemptOutput): void {
    this.waiting.delete(output);
  }

  private tick(): void {
    const { clock, congested, send } = this.params;
    const now = clock.monotonicMs();
    for (const [output, startedAtMs] of this.waiting) {
      if (congested()) {
        break;
      }
      if (now - startedAtMs >= NOT_BEFORE_MS) {
        output.takeLive(BYTES_PER_TICK).forEach(send);
        if (!output.hasUnsent) {
          this.waiting.delete(output);
        }
      }
    }
    this.timer = this.waiting.size > 0 ? clock.setTimer(TICK_MS, () => this.tick()) : undefined;
  }
}
