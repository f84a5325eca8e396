import type { Clock } from '@orchestrator/core';

import { readStat } from './proc.js';

const SAY_EVERY_MS = 10_000;
const STUBBORN_AFTER_MS = 1_000;
/** Named in one message. */
const NAMED = 20;

/** What has been sent SIGKILL again and again and is still there. */
export interface Survivors {
  sinceMs: number;
  count: number;
  /** Pids, each with its state as `/proc` has it: `D` waits for a disk or a file server. */
  processes: string[];
}

/**
 * A process in an uninterruptible wait dies when its wait ends and not before. Whoever kills waits for that, because what it
 * is about to write may still be written, and says so every ten seconds.
 */
export class SurvivorWatch {
  /** None while nothing survives. */
  private sinceMs: number | undefined;
  private saidMs = 0;

  constructor(
    private readonly clock: Clock,
    private readonly say: (survivors: Survivors) => void,
  ) {}

  /** No use in trying many times a second. */
  get areStubborn(): boolean {
    return this.clock.monotonicMs() - (this.sinceMs ?? Infinity) >= STUBBORN_AFTER_MS;
  }

  /** After each attempt at killing: what was found then. */
  note(pids: readonly number[]): void {
    const now = this.clock.monotonicMs();
    if (pids.length === 0) {
      this.sinceMs = undefined;
    } else if (this.sinceMs === undefined) {
      this.sinceMs = this.saidMs = now;
    } else if (now - this.saidMs >= SAY_EVERY_MS) {
      this.saidMs = now;
      const processes = pids.slice(0, NAMED).map((pid) => `${pid} (${readStat(pid)?.state ?? 'gone'})`);
      this.say({ sinceMs: now - this.sinceMs, count: pids.length, processes });
    }
  }
}

export const SURVIVORS_TEXT =
  'Processes were killed and do not die: their attempts are not given away before they have';
