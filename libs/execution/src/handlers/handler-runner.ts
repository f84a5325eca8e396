import { type Clock, sleep, type Timer } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { createDeferred } from '../deferred.js';
import type { ExecutorEvents, OutputStreamName } from '../executor.js';
import { setLongTimer } from '../process/long-timer.js';
import { BusyReport } from './busy-report.js';
import { type EndRequest, type HandlerEndParams, toHandlerEnd, unsettledEnd } from './handler-end.js';
import { HandlerThreadLink } from './handler-thread-link.js';
import type { FromThread, HandlerOutcome, HandlerToRun, PlainEnd, QueuedHandler } from './handler-wire.js';
import { type HandlerInThread, HandlersInThread } from './handlers-in-thread.js';
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

type SettledHandler = Omit<Extract<FromThread, { kind: 'settled' }>, 'kind' | 'attemptId' | 'counts'> &
  Pick<HandlerEndParams, 'counts'>;

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
  private readonly running = new HandlersInThread();
  private readonly busy: BusyReport;
  private link: HandlerThreadLink | undefined;
  private cells = new SharedCells();
  private leaseUntilMs = Infinity;
  private slots = Infinity;
  /** What the thread knows of it. */
  private toldSlots = Infinity;
  private look: Timer | undefined;
  /** For a thread, or a cell. */
  private waiting: HandlerToRun[] = [];
  private up = false;
  private stopping = false;
  private replacing: Promise<void> = Promise.resolve();
  private readonly stopped = new AbortController();

  constructor(private readonly params: HandlerRunnerParams) {
    this.busy = new BusyReport(params.clock, params.onBusy);
  }

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
    this.running.add(attempt, cell);
    this.busy.note(this.running.anyBound);
    if (this.toldSlots !== this.slots) {
      this.tellSlots();
    }
    this.link?.run(toQueued(attempt, cell));
    this.lookLater();
  }

  /** So many may run at once. Without it all do. */
  setSlots(slots: number): void {
    this.slots = slots;
    // As long as all that it has may run by both, it need not know: a post wakes it.
    if (slots !== this.toldSlots && this.running.size > Math.min(slots, this.toldSlots)) {
      this.tellSlots();
    }
  }

  /** Nothing is started after this instant of the uptime clock. */
  setLease(untilUptimeMs: number): void {
    this.leaseUntilMs = untilUptimeMs;
    this.cells.leaseUntilMs = untilUptimeMs;
    this.tellSlots();
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
    this.running.remove(running);
    this.busy.note(this.running.anyBound);
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
    const ran = this.running.all();
    ran.forEach((handler) => this.running.remove(handler));
    if (ran.length > 0) {
      this.replace('all were killed');
    }
    await this.replacing;
  }

  acknowledgeOutput(attemptId: string, stream: OutputStreamName, endOffset: number): void {
    if (this.running.get(attemptId) !== undefined) {
      this.link?.send({ kind: 'acknowledge', attemptId, stream, endOffset });
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.look?.cancel();
    this.stopped.abort();
    this.up = false;
    this.waiting = [];
    this.running.all().forEach((handler) => this.running.remove(handler));
    await this.link?.end();
    await this.replacing;
    this.busy.noteNow(this.running.anyBound);
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
      onEnd: (end) => this.endedPlainly(end),
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
    this.tellSlots();
    this.handOver();
  }

  private tellSlots(): void {
    this.toldSlots = this.slots;
    this.link?.send({ kind: 'slots', slots: this.slots });
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
        return this.running.get(message.chunk.attemptId) && events.output(message.chunk);
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
      for (const { attempt, cell, startedAtMs } of this.running.all()) {
        if (startedAtMs === undefined && this.cells.hasStarted(cell)) {
          this.started(attempt.attemptId, this.params.clock.wallMs(), 0);
        }
        anyUnknown ||= startedAtMs === undefined;
      }
      if (anyUnknown) {
        this.lookLater();
      }
    });
  }

  private endedPlainly({ cell, startedAtWallMs, durationMs, resultJson }: PlainEnd): void {
    const running = this.running.at(cell);
    if (running !== undefined) {
      const outcome: HandlerOutcome = { ok: true, resultJson };
      this.ended(running, { outcome, aborted: false, startedAtWallMs, durationMs, counts: undefined, output: [] });
    }
  }

  private settled(message: SettledHandler & { attemptId: string }): void {
    const running = this.running.get(message.attemptId);
    if (running !== undefined) {
      this.ended(running, message);
    }
  }

  private ended(running: HandlerInThread, settled: SettledHandler): void {
    this.running.remove(running);
    this.cells.release(running.cell);
    if (running.killed === undefined) {
      const { attemptId } = running.attempt;
      const { outcome, aborted, counts, output, startedAtWallMs, durationMs } = settled;
      if (running.startedAtMs === undefined) {
        this.params.events.started(attemptId, process.pid, startedAtWallMs);
      }
      // One whose end crossed the cancel ended by itself.
      const endRequest = aborted ? running.endRequest : undefined;
      const end = { attemptId, startedAtWallMs, durationMs, outcome, counts, output, endRequest };
      this.params.events.ended(toHandlerEnd(end));
      this.busy.note(this.running.anyBound);
    } else {
      this.busy.noteNow(this.running.anyBound);
    }
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
    const ran = this.running.all();
    ran.forEach((handler) => this.running.remove(handler));
    this.busy.noteNow(this.running.anyBound);
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
}

function toQueued(attempt: HandlerToRun, cell: number): QueuedHandler {
  const { attemptId, jobId, fence, traceparent, workerId, specJson, maxOutputBytes } = attempt;
  return { cell, attemptId, jobId, attempt: attempt.attempt, fence, traceparent, workerId, specJson, maxOutputBytes };
}
