import { type Clock, DEFAULT_ON_LEASE_LOST, type JobSpec, type OnLeaseLost, type Timer } from '@orchestrator/core';
import type { Executor, ExecutorEnd, HandlerEvents, HandlerRunner, OutputStreamName } from '@orchestrator/execution';

import { Lease } from './lease.js';
import type { AssignedAttempt, AttemptRunner, RunnerEvents } from './runner.js';
import { type RunDefaults, toCommand, toHandler } from './to-run.js';

/**
 * The executor ends this whole process when handlers still run one second after the lease: they have half of it to heed
 * their signal, the rest is for the end of their thread.
 */
const LEASE_ENDED = { message: 'the lease of this worker ran out: the job may be running elsewhere', graceMs: 500 };

/** Of the handlers' thread, what is needed here. */
export type Handlers = Pick<
  HandlerRunner,
  'start' | 'run' | 'setSlots' | 'setLease' | 'recall' | 'cancel' | 'kill' | 'killAll' | 'acknowledgeOutput' | 'stop'
>;

export interface LocalRunnerParams<E extends Executor = Executor> {
  workerId: string;
  defaults: RunDefaults;
  events: RunnerEvents;
  clock: Clock;
  uptimeMs: () => number;
  createExecutor: (events: RunnerEvents) => E;
  /** Without it `handler` jobs fail. */
  createHandlers?: ((events: HandlerEvents, executor: E) => Handlers) | undefined;
}

/**
 * Commands go to the executor, which keeps to the lease by itself; handlers to their thread, which lives in this process:
 * for them the lease is watched here.
 */
export class LocalRunner<E extends Executor = Executor> implements AttemptRunner {
  private readonly executor: E;
  private readonly handlers: Handlers | undefined;
  private readonly inHandlers = new Map<string, OnLeaseLost>();
  private readonly lease: Lease;
  private leaseTimer: Timer | undefined;

  constructor(private readonly params: LocalRunnerParams<E>) {
    const { events, createExecutor, createHandlers } = params;
    this.lease = new Lease(params.uptimeMs);
    this.executor = createExecutor(events);
    this.handlers = createHandlers?.(this.handlerEvents(), this.executor);
  }

  async start(): Promise<void> {
    await this.executor.start();
    await this.handlers?.start();
  }

  run(attempt: AssignedAttempt, slots: number): void {
    const { workerId, defaults, events, clock } = this.params;
    if (attempt.spec.handler === undefined) {
      this.executor.run(toCommand(attempt, workerId, defaults), slots);
    } else if (this.handlers === undefined) {
      events.ended(noHandlers(attempt, clock));
    } else {
      this.inHandlers.set(attempt.ref.attemptId, attempt.spec.onLeaseLost ?? DEFAULT_ON_LEASE_LOST);
      this.handlers.run(toHandler(attempt, workerId, defaults));
    }
  }

  takesAhead({ handler }: JobSpec): boolean {
    return handler !== undefined && this.handlers !== undefined;
  }

  lend(slots: number): void {
    this.handlers?.setSlots(slots);
  }

  recall(attemptId: string): boolean {
    if (!this.inHandlers.has(attemptId)) {
      this.executor.recall(attemptId);
      return false;
    }
    return this.handlers?.recall(attemptId) === true && this.inHandlers.delete(attemptId);
  }

  cancel(attemptId: string, reason: string): void {
    this.of(attemptId).cancel(attemptId, reason);
  }

  async kill(attemptId: string): Promise<void> {
    const runner = this.of(attemptId);
    this.inHandlers.delete(attemptId);
    await runner.kill(attemptId);
  }

  async killAll(): Promise<void> {
    this.inHandlers.clear();
    await Promise.all([this.executor.killAll(), this.handlers?.killAll()]);
  }

  renewLease(sentAtUptimeMs: number, leaseMs: number): void {
    this.executor.renewLease(sentAtUptimeMs, leaseMs);
    if (this.handlers !== undefined) {
      this.lease.grant(sentAtUptimeMs, leaseMs);
      this.handlers.setLease(this.lease.untilMs);
      this.watchLease();
    }
  }

  confirmHeld(attemptIds: readonly string[], sentAtUptimeMs: number): void {
    this.executor.confirmHeld(attemptIds, sentAtUptimeMs);
  }

  acknowledgeOutput(attemptId: string, stream: OutputStreamName, endOffset: number): void {
    this.of(attemptId).acknowledgeOutput(attemptId, stream, endOffset);
  }

  async stop(): Promise<void> {
    this.leaseTimer?.cancel();
    this.inHandlers.clear();
    await Promise.all([this.executor.stop(), this.handlers?.stop()]);
  }

  private of(attemptId: string): Executor | Handlers {
    return this.handlers !== undefined && this.inHandlers.has(attemptId) ? this.handlers : this.executor;
  }

  private handlerEvents(): HandlerEvents {
    const { events } = this.params;
    return {
      started: (attemptId, pid, startedAtWallMs) => events.started(attemptId, pid, startedAtWallMs),
      output: (chunk) => events.output(chunk),
      ended: (ended) => {
        this.inHandlers.delete(ended.attemptId);
        events.ended(ended);
      },
      unstarted: (attemptIds, detail) => {
        attemptIds.forEach((attemptId) => this.inHandlers.delete(attemptId));
        events.unstarted(attemptIds, detail);
      },
      executorLost: (attemptIds, detail) => {
        attemptIds.forEach((attemptId) => this.inHandlers.delete(attemptId));
        events.executorLost(attemptIds, detail);
      },
    };
  }

  private watchLease(): void {
    this.leaseTimer?.cancel();
    this.leaseTimer = this.params.clock.setTimer(this.lease.remainingMs(), () => {
      if (this.lease.valid) {
        this.watchLease();
      } else {
        this.endHandlers();
      }
    });
  }

  /** Those that may go on beside another attempt do. The others are told why, and nothing of them is left when they are reported. */
  private endHandlers(): void {
    const unstarted = [...this.inHandlers.keys()].filter((attemptId) => this.recall(attemptId));
    if (unstarted.length > 0) {
      this.params.events.unstarted(unstarted, 'the lease has run out');
    }
    const doomed = [...this.inHandlers].flatMap(([id, onLeaseLost]) => (onLeaseLost === 'continue' ? [] : [id]));
    const dead = doomed.map(async (attemptId) => {
      await this.handlers?.kill(attemptId, LEASE_ENDED);
      return this.inHandlers.delete(attemptId) ? [attemptId] : [];
    });
    void Promise.all(dead).then((ids) => {
      const lost = ids.flat();
      if (lost.length > 0) {
        this.params.events.leaseLost(lost);
      }
    });
  }
}

function noHandlers({ ref, spec }: AssignedAttempt, clock: Clock): ExecutorEnd {
  const message = `this worker has no handlers, so it cannot run "${spec.handler ?? ''}": its configuration names no module`;
  return {
    attemptId: ref.attemptId,
    outcome: 'failed',
    end: {
      exitCode: null,
      signal: null,
      failure: { reason: 'handler_error', message },
      output: { stdoutBytes: 0, stderrBytes: 0, truncated: false },
    },
    retryable: true,
    startedAtWallMs: clock.wallMs(),
    durationMs: 0,
    output: [],
  };
}
