import type { ExecutorEnd } from '@orchestrator/execution';

import { WakeUp } from '../wake-up.js';
import type { AssignedAttempt, AttemptRunner, RunnerEvents } from '../runner.js';

/** A runner that runs nothing: a spec says what becomes of each attempt. */
export class FakeRunner implements AttemptRunner {
  readonly ran: string[] = [];
  /** How many commands may run at once, as it was told with each attempt. */
  readonly slots: number[] = [];
  /** Ids of commands that were asked for. */
  readonly recalled: string[] = [];
  /** What was lent, in order. */
  readonly lent: number[] = [];
  /** Ids of what has not started yet of what it was handed ahead. */
  readonly queued = new Set<string>();
  readonly cancelled: string[] = [];
  readonly killed: string[] = [];
  readonly leases: { sentAtUptimeMs: number; leaseMs: number }[] = [];
  readonly confirmed: { attemptIds: string[]; sentAtUptimeMs: number }[] = [];
  /** Of the lease and of what is held, in their order. */
  readonly calls: object[] = [];
  killedAll = 0;
  stopped = false;

  private readonly started = new WakeUp();

  constructor(
    readonly events: RunnerEvents,
    private readonly startError?: Error,
  ) {}

  /** Resolves when it was told to run this. */
  async hasRun(attemptId: string): Promise<void> {
    while (!this.ran.includes(attemptId)) {
      await this.started.wait(new AbortController().signal);
    }
  }

  start(): Promise<void> {
    return this.startError === undefined ? Promise.resolve() : Promise.reject(this.startError);
  }

  run(attempt: AssignedAttempt, slots: number): void {
    this.ran.push(attempt.ref.attemptId);
    this.slots.push(slots);
    if (this.takesAhead(attempt.spec)) {
      this.queued.add(attempt.ref.attemptId);
    }
    this.started.call();
  }

  takesAhead({ handler }: AssignedAttempt['spec']): boolean {
    return handler !== undefined;
  }

  lend(slots: number): void {
    if (this.lent.at(-1) !== slots) {
      this.lent.push(slots);
    }
  }

  recall(attemptId: string): boolean {
    const recalled = this.queued.delete(attemptId);
    if (!recalled) {
      this.recalled.push(attemptId);
    }
    return recalled;
  }

  /** To all that was asked for: none of it has started. */
  giveBackRecalled(): void {
    this.events.unstarted(this.recalled.splice(0), 'recalled');
  }

  /** Of what it was handed ahead. */
  begin(attemptId: string): void {
    this.queued.delete(attemptId);
    this.events.started(attemptId, 1, 0);
  }

  cancel(attemptId: string): void {
    this.cancelled.push(attemptId);
  }

  kill(attemptId: string): Promise<void> {
    this.killed.push(attemptId);
    return Promise.resolve();
  }

  killAll(): Promise<void> {
    this.killedAll += 1;
    return Promise.resolve();
  }

  renewLease(sentAtUptimeMs: number, leaseMs: number): void {
    this.leases.push({ sentAtUptimeMs, leaseMs });
    this.calls.push({ kind: 'renewLease', sentAtUptimeMs, leaseMs });
  }

  confirmHeld(attemptIds: readonly string[], sentAtUptimeMs: number): void {
    this.confirmed.push({ attemptIds: [...attemptIds], sentAtUptimeMs });
    this.calls.push({ kind: 'confirmHeld', attemptIds: [...attemptIds], sentAtUptimeMs });
  }

  acknowledgeOutput(): void {}

  stop(): Promise<void> {
    this.stopped = true;
    return Promise.resolve();
  }

  succeed(attemptId: string, over: Partial<ExecutorEnd> = {}): void {
    this.queued.delete(attemptId);
    this.events.ended(anEnd(attemptId, over));
  }
}

export function anEnd(attemptId: string, over: Partial<ExecutorEnd> = {}): ExecutorEnd {
  return {
    attemptId,
    outcome: 'succeeded',
    end: {
      exitCode: 0,
      signal: null,
      failure: null,
      output: { stdoutBytes: 0, stderrBytes: 0, truncated: false },
    },
    retryable: true,
    startedAtWallMs: 0,
    durationMs: 5,
    output: [],
    ...over,
  };
}
