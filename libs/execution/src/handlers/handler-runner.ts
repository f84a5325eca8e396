import { type Clock, sleep, type Timer } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { createDeferred, type Deferred } from '../deferred.js';
import type { ExecutorEvents, OutputStreamName } from '../executor.js';
import { setLongTimer } from '../process/long-timer.js';
import { type EndRequest, toHandlerEnd, unsettledEnd } from './handler-end.js';
import { HandlerThreadLink } from './handler-thread-link.js';
import type { FromThread, HandlerToRun } from './handler-wire.js';
import { SharedCells } from './shared-cells.js';

export type HandlerEvents = Pick<ExecutorEvents, 'started' | 'output' | 'ended' | 'unstarted' | 'executorLost'>;

export interface HandlerRunnerParams {
  /** CommonJS or ESM; relative to the current directory. */
  modulePath: string;
  events: HandlerEvents;
  clock: Clock;
  logger: Logger;
  /**
   * Whether any handler runs that must not outlive the lease. To be passed on to `ExecutorProcess.reportHandlers`: handlers live in this process, so the
   * executor can only end it as a whole.
   */
  onBusy: (running: boolean) => void;
  /** The thread's environment, without the worker's own secrets. */
  environment: Readonly<Record<string, string | undefined>>;
  /** The thread's compiled entry point. */
  entry?: string;
}

/** One that is with the thread: it runs, or waits there for a slot. */
interface Running {
  attempt: HandlerToRun;
  cell: number;
  /** Undefined: not known to have started. */
  startedAtMs: number | undefined;
  startedAtWallMs: number;
  timer: Timer | undefined;
  endRequest: EndRequest | undefined;
  /** It is being killed: settled when it has ended, and nothing is reported. */
  killed: Deferred<void> | undefined;
}

const THREAD_ENDED = 'its thread was ended to stop a handler that did not heed its signal';
/** What a handler hears that is killed, and how long it may heed that before its thread, with all others, is ended. */
export interface HandlerKill {
  message: string;
  graceMs: number;
}
const NOT_OURS: HandlerKill = { message: "the job is not this worker's any more", graceMs: 1_000 };
/** So often those that are not known to have started are looked at: a handler may block its thread from its first line. */
const LOOK_MS = 100;
const FIRST_RESTART_MS = 100;
/** JSON has no Infinity. */
const NO_BOUND = Number.MAX_SAFE_INTEGER;
const MAX_RESTART_MS = 5_000;

/**
 * Runs handlers in a worker thread, as many at a time as it has slots, fed in batches and ahead of them: short handlers
 * follow one another there, and the worker's main thread stays free for its stream. What waits there can be taken back at
 * any moment, also while a handler blocks the thread.
 *
 * JavaScript cannot stop one function: a handler that does not heed its signal within its grace is ended with the whole
 * thread. What else ran in that thread is reported as lost (`executorLost`), as with a lost executor, and a new thread is
 * started. So are all that run when a handler exits the thread or exhausts its memory.
 */
export class HandlerRunner {
  private readonly running = new Map<string, Running>();
  private link: HandlerThreadLink | undefined;
  private cells = new SharedCells();
  private leaseUntilMs = Infinity;
  private slots = NO_BOUND;
  /** Of those that must not outlive the lease. */
  private bound = 0;
  private look: Timer | undefined;
  /** For a thread, or a cell. */
  private waiting: HandlerToRun[] = [];
  private up = false;
  private busy = false;
  private stopping = false;
  private replacing: Promise<void> = Promise.resolve();
  private readonly stopped = new AbortController();

  constructor(private readonly params: HandlerRunnerParams) {}

  /** @throws {HandlerLoadError} when the module cannot be loaded. */
  async start(): Promise<void> {
    await this.launch();
  }

  /** Starts it when a slot is free, in the order of these calls. What becomes of it arrives through the events. */
  run(attempt: HandlerToRun): void {
    if (this.stopping) {
      return;
    }
    const cell = this.up && this.link !== undefined && this.waiting.length === 0 ? this.cells.take() : undefined;
    if (cell === undefined) {
      this.waiting.push(attempt);
      return;
    }
    this.running.set(attempt.attemptId, {
      attempt,
      cell,
      startedAtMs: undefined,
      startedAtWallMs: 0,
      timer: undefined,
      endRequest: undefined,
      killed: undefined,
    });
    this.bound += isBound(attempt) ? 1 : 0;
    this.noteBusy();
    this.link?.send({ kind: 'run', attempt, cell });
    this.lookLater();
  }

  /** So many may run at once. Without it all do. */
  setSlots(slots: number): void {
    if (slots !== this.slots) {
      this.slots = slots;
      this.link?.send({ kind: 'slots', slots });
    }
  }

  /** Nothing is started after this instant of the uptime clock. */
  setLease(untilUptimeMs: number): void {
    this.leaseUntilMs = untilUptimeMs;
    this.cells.leaseUntilMs = untilUptimeMs;
    this.link?.send({ kind: 'slots', slots: this.slots });
  }

  /** True: it has not started, and never will; nothing is reported. */
  recall(attemptId: string): boolean {
    const waiting = this.waiting.findIndex((attempt) => attempt.attemptId === attemptId);
    if (waiting >= 0) {
      this.waiting.splice(waiting, 1);
      return true;
    }
    const running = this.running.get(attemptId);
    if (running === undefined || !this.cells.recall(running.cell)) {
      return false;
    }
    this.forget(attemptId);
    this.noteBusy();
    return true;
  }

  /** Aborts its signal now and ends its thread after its grace. It then ends as `cancelled`. */
  cancel(attemptId: string, reason: string): void {
    const attempt = this.running.get(attemptId)?.attempt ?? this.waiting.find((one) => one.attemptId === attemptId);
    if (attempt !== undefined && this.recall(attemptId)) {
      this.params.events.ended(unsettledEnd(attemptId, { reason: 'cancelled', message: reason }, this.params.clock));
    } else {
      this.endSoon(attemptId, { reason: 'cancelled', message: reason });
    }
  }

  /** Nothing of it runs when this resolves, and nothing is reported. */
  async kill(attemptId: string, { message, graceMs } = NOT_OURS): Promise<void> {
    const running = this.recall(attemptId) ? undefined : this.running.get(attemptId);
    if (running !== undefined && running.killed === undefined) {
      running.killed = createDeferred();
      running.timer?.cancel();
      this.link?.send({ kind: 'abort', attemptId, reason: 'lost', message });
      const dueInMs = Math.min(running.attempt.killGraceMs, graceMs);
      running.timer = this.params.clock.setTimer(dueInMs, () => this.replace(THREAD_ENDED));
    }
    await running?.killed?.promise;
  }

  async killAll(): Promise<void> {
    this.waiting = [];
    const any = this.running.size > 0;
    [...this.running.keys()].forEach((attemptId) => this.forget(attemptId));
    if (any) {
      this.replace('all were killed');
    }
    await this.replacing;
  }

  acknowledgeOutput(attemptId: string, stream: OutputStreamName, endOffset: number): void {
    if (this.running.has(attemptId)) {
      this.link?.send({ kind: 'acknowledge', attemptId, stream, endOffset });
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.look?.cancel();
    this.stopped.abort();
    this.up = false;
    this.waiting = [];
    [...this.running.keys()].forEach((attemptId) => this.forget(attemptId));
    await this.link?.end();
    await this.replacing;
    this.noteBusy();
  }

  private async launch(): Promise<void> {
    const { entry, environment, modulePath } = this.params;
    // Of its own: what an earlier thread may still write concerns nobody.
    const cells = new SharedCells();
    cells.leaseUntilMs = this.leaseUntilMs;
    const link = new HandlerThreadLink({
      clock: this.params.clock,
      entry,
      environment,
      modulePath,
      shared: cells.buffer,
      onMessage: (message) => this.accept(message),
      onLost: (detail) => {
        if (link === this.link) {
          this.replace(detail);
        }
      },
    });
    this.link = link;
    await link.start();
    this.cells = cells;
    this.up = !this.stopping;
    link.send({ kind: 'slots', slots: this.slots });
    this.handOver();
  }

  /** What waits for a thread or for a cell. */
  private handOver(): void {
    this.waiting.splice(0).forEach((attempt) => this.run(attempt));
  }

  private accept(message: FromThread): void {
    const { events, logger } = this.params;
    switch (message.kind) {
      case 'started':
        return this.started(message.attemptId, message.startedAtWallMs, message.forMs);
      case 'dropped':
        return this.cells.release(message.cell);
      case 'output':
        return this.running.has(message.chunk.attemptId) ? events.output(message.chunk) : undefined;
      case 'settled':
        return this.settled(message);
      case 'stray':
        return logger.error("An error in the handlers' module was caught by nobody", { error: message.detail });
      default:
        return;
    }
  }

  private started(attemptId: string, startedAtWallMs: number, forMs: number): void {
    const running = this.running.get(attemptId);
    if (running === undefined || running.startedAtMs !== undefined) {
      return;
    }
    const { clock, events } = this.params;
    const { timeoutMs } = running.attempt;
    running.startedAtMs = clock.monotonicMs() - forMs;
    running.startedAtWallMs = startedAtWallMs;
    if (timeoutMs > 0 && running.endRequest === undefined && running.killed === undefined) {
      const message = `did not end within ${timeoutMs} ms`;
      const leftMs = Math.max(0, timeoutMs - forMs);
      running.timer = setLongTimer(clock, leftMs, () => this.endSoon(attemptId, { reason: 'timeout', message }));
    }
    events.started(attemptId, process.pid, startedAtWallMs);
  }

  private lookLater(): void {
    this.look ??= this.params.clock.setTimer(LOOK_MS, () => {
      this.look = undefined;
      let anyUnknown = false;
      for (const [attemptId, { cell, startedAtMs }] of this.running) {
        if (startedAtMs === undefined && this.cells.hasStarted(cell)) {
          this.started(attemptId, this.params.clock.wallMs(), 0);
        }
        anyUnknown ||= startedAtMs === undefined;
      }
      if (anyUnknown) {
        this.lookLater();
      }
    });
  }

  private settled(message: Extract<FromThread, { kind: 'settled' }>): void {
    const running = this.forget(message.attemptId);
    if (running === undefined) {
      return;
    }
    this.cells.release(running.cell);
    if (running.killed === undefined) {
      const { attemptId, outcome, aborted, counts, output, startedAtWallMs, durationMs } = message;
      if (running.startedAtMs === undefined) {
        this.params.events.started(attemptId, process.pid, startedAtWallMs);
      }
      // One whose end crossed the cancel ended by itself.
      const endRequest = aborted ? running.endRequest : undefined;
      const end = { attemptId, startedAtWallMs, durationMs, outcome, counts, output, endRequest };
      this.params.events.ended(toHandlerEnd(end));
    }
    this.noteBusy();
    if (this.waiting.length > 0) {
      this.handOver();
    }
  }

  private endSoon(attemptId: string, endRequest: EndRequest): void {
    const running = this.running.get(attemptId);
    if (running === undefined || running.endRequest !== undefined || running.killed !== undefined) {
      return;
    }
    running.endRequest = endRequest;
    running.timer?.cancel();
    this.link?.send({ kind: 'abort', attemptId, ...endRequest });
    running.timer = setLongTimer(this.params.clock, running.attempt.killGraceMs, () => {
      this.replace(THREAD_ENDED);
    });
  }

  /**
   * Ends the thread and starts another. What was asked to end (timeout, cancel) has ended so; what else ran is lost. While
   * that goes on nothing is done a second time: two graces may be over in one moment, and the next thread is not to blame.
   */
  private replace(detail: string): void {
    if (this.up) {
      this.up = false;
      this.replacing = this.endThread(detail);
      void this.replacing.then(() => this.relaunch());
    }
  }

  private async endThread(detail: string): Promise<void> {
    const { events, clock } = this.params;
    await this.link?.end();
    const ran = [...this.running.keys()].flatMap((attemptId) => this.forget(attemptId) ?? []);
    this.noteBusy();
    const lost: string[] = [];
    const unstarted: string[] = [];
    for (const running of ran) {
      if (this.cells.recall(running.cell)) {
        unstarted.push(running.attempt.attemptId);
      } else if (running.killed === undefined && running.endRequest !== undefined) {
        events.ended(unsettledEnd(running.attempt.attemptId, running.endRequest, clock, running));
      } else if (running.killed === undefined) {
        lost.push(running.attempt.attemptId);
      }
    }
    if (unstarted.length > 0) {
      events.unstarted(unstarted, detail);
    }
    if (lost.length > 0) {
      events.executorLost(lost, detail);
    }
  }

  /** Again and again, if need be: what is assigned meanwhile is handed back at each failure, so that nothing waits here. */
  private async relaunch(): Promise<void> {
    const { clock, events, logger, modulePath } = this.params;
    for (let waitMs = FIRST_RESTART_MS; !this.stopping; waitMs = Math.min(waitMs * 2, MAX_RESTART_MS)) {
      try {
        return await this.launch();
      } catch (error) {
        if (this.stopping) {
          return;
        }
        logger.error("The handlers' module could not be loaded again", { modulePath, error: String(error) });
        const lost = this.waiting.splice(0).map((attempt) => attempt.attemptId);
        if (lost.length > 0) {
          events.executorLost(lost, String(error));
        }
        await sleep(clock, waitMs, this.stopped.signal);
      }
    }
  }

  private forget(attemptId: string): Running | undefined {
    const running = this.running.get(attemptId);
    if (running !== undefined) {
      running.timer?.cancel();
      this.running.delete(attemptId);
      this.bound -= isBound(running.attempt) ? 1 : 0;
      running.killed?.resolve();
    }
    return running;
  }

  private noteBusy(): void {
    const busy = this.bound > 0;
    if (busy !== this.busy) {
      this.busy = busy;
      this.params.onBusy(busy);
    }
  }
}

/** It must not go on without a lease. */
function isBound({ onLeaseLost }: HandlerToRun): boolean {
  return onLeaseLost !== 'continue';
}
