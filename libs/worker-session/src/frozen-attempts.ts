import { type Verdict, VerdictKind } from '@orchestrator/proto-types';

import { type Attempts, isWithRunner } from './attempts.js';
import type { AttemptRunner } from './runner.js';

export interface FrozenAttemptsParams {
  attempts: Attempts;
  runner: Pick<AttemptRunner, 'confirmHeld'>;
  uptimeMs: () => number;
}

/**
 * What was stopped at the lease's end, and how it goes on again: only by a `held` in answer to a Hello that was sent after
 * the freeze and less than the lease ago. The runner judges that, for it knows when it froze; here it is seen to that such
 * a Hello is said. An acknowledged heartbeat confirms nothing but that somebody can be asked.
 */
export class FrozenAttempts {
  /** Something was frozen after the last Hello was made: that Hello may have been sent before the freeze. */
  private isUnasked = false;
  private askedAtUptimeMs = 0;
  /** The last Hello was answered `unknown` for these; a `Held` is to come. */
  private readonly unknown = new Set<string>();

  constructor(private readonly params: FrozenAttemptsParams) {}

  /** The runner has just frozen something. */
  frozen(): void {
    this.isUnasked = true;
  }

  /** A Hello is being sent. */
  asked(atUptimeMs: number): void {
    this.isUnasked = false;
    this.askedAtUptimeMs = atUptimeMs;
    this.unknown.clear();
  }

  /** The answers to that Hello, in its Welcome or later. The runner must have heard of the lease before. */
  answered(verdicts: readonly Verdict[]): void {
    const held: string[] = [];
    for (const { attempt: ref, kind } of verdicts) {
      const id = ref?.attemptId ?? '';
      if (kind === VerdictKind.UNKNOWN) {
        this.unknown.add(id);
        continue;
      }
      this.unknown.delete(id);
      const attempt = this.params.attempts.get(id);
      // Also of those that run as far as we know: word of their freeze may still be in the pipe.
      if (kind === VerdictKind.HELD && attempt !== undefined && isWithRunner(attempt)) {
        held.push(id);
      }
    }
    if (held.length > 0) {
      this.params.runner.confirmHeld(held, this.askedAtUptimeMs);
    }
  }

  /** Something is frozen that no Hello could speak of yet. */
  get mustAsk(): boolean {
    return this.isUnasked && this.params.attempts.countOf('frozen') > 0;
  }

  /**
   * Something is frozen although the last Hello has been answered for a while: its answer came too late for the runner. One
   * answered `unknown` has until its `Held` would come too late, too.
   */
  mustAskAgain(intervalMs: number, leaseMs: number): boolean {
    const frozen = this.params.attempts.in('frozen');
    const passedMs = this.params.uptimeMs() - this.askedAtUptimeMs;
    return frozen.some(({ ref }) => passedMs >= (this.unknown.has(ref.attemptId) ? leaseMs : intervalMs));
  }
}
