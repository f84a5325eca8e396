import { type ExecutorEvents } from '@orchestrator/execution';
import type { AssignedAttempt, AttemptRunner } from '@orchestrator/worker-session';

import type { JobData } from '../job-data.js';
import type { Ledger } from '../ledger.js';

/** Runs nothing: every attempt has succeeded as soon as it is handed over, and is counted. */
export class NoOpRunner implements AttemptRunner {
  constructor(
    private readonly events: ExecutorEvents,
    private readonly ledger: Ledger,
  ) {}

  run({ ref, spec }: AssignedAttempt): void {
    this.ledger.started((spec.data as JobData).i);
    this.events.ended({
      attemptId: ref.attemptId,
      outcome: 'succeeded',
      end: {
        exitCode: null,
        signal: null,
        failure: null,
        output: { stdoutBytes: 0, stderrBytes: 0, truncated: false },
      },
      retryable: true,
      startedAtWallMs: Date.now(),
      durationMs: 0,
      output: [],
    });
  }

  takesAhead(): boolean {
    return false;
  }

  recall(): boolean {
    return false;
  }

  async start(): Promise<void> {}
  async kill(): Promise<void> {}
  async killAll(): Promise<void> {}
  async stop(): Promise<void> {}
  lend(): void {}
  cancel(): void {}
  renewLease(): void {}
  confirmHeld(): void {}
  acknowledgeOutput(): void {}
}
