import type { Clock, Timer } from '@orchestrator/core';

import type { AttemptToRun } from '../executor.js';

const TRY_EVERY_MS = 100;
/** Then they are given back. A machine in trouble gets the same job again at once, so this also paces that. */
const GIVE_BACK_AFTER_MS = 1_000;

export interface StartRetriesParams {
  clock: Clock;
  again: (attempts: readonly AttemptToRun[]) => void;
  giveBack: (attemptIds: string[], detail: string) => void;
}

/**
 * What the machine could not start, for want of file handles, processes or memory: tried again, for a command that ends
 * frees some of each, and given back after a second. Such a job has not run and has not failed.
 */
export class StartRetries {
  private readonly sinceMs = new Map<string, number>();
  private waiting: AttemptToRun[] = [];
  private detail = '';
  private timer: Timer | undefined;

  constructor(private readonly params: StartRetriesParams) {}

  add(attempt: AttemptToRun, detail: string): void {
    const { clock } = this.params;
    if (!this.sinceMs.has(attempt.attemptId)) {
      this.sinceMs.set(attempt.attemptId, clock.monotonicMs());
    }
    this.waiting.push(attempt);
    this.detail = detail;
    this.timer ??= clock.setTimer(TRY_EVERY_MS, () => this.retry());
  }

  /** It has started, or nobody wants it any more. Answers whether it was waiting here. */
  remove(attemptId: string): boolean {
    const left = this.waiting.filter((attempt) => attempt.attemptId !== attemptId);
    const wasHere = left.length < this.waiting.length;
    this.waiting = left;
    this.sinceMs.delete(attemptId);
    return wasHere;
  }

  get size(): number {
    return this.waiting.length;
  }

  ids(): string[] {
    return this.waiting.map((attempt) => attempt.attemptId);
  }

  private retry(): void {
    const { clock, again, giveBack } = this.params;
    const now = clock.monotonicMs();
    this.timer = undefined;
    const all = this.waiting.splice(0);
    const late = all.filter(({ attemptId }) => now - (this.sinceMs.get(attemptId) ?? now) >= GIVE_BACK_AFTER_MS);
    late.forEach(({ attemptId }) => this.sinceMs.delete(attemptId));
    if (late.length > 0) {
      giveBack(
        late.map(({ attemptId }) => attemptId),
        this.detail,
      );
    }
    again(all.filter((attempt) => !late.includes(attempt)));
  }
}
