import { type Clock, sleep, type Timer } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { createDeferred, type Deferred } from '../deferred.js';
import type { ExecutorEnd, ExecutorEvents, OutputStreamName } from '../executor.js';
import { setLongTimer } from '../process/long-timer.js';
import { toHandlerEnd } from './handler-end.js';
import { HandlerThreadLink } from './handler-thread-link.js';
import type { FromThread, HandlerToRun } from './handler-wire.js';

export type HandlerEvents = Pick<ExecutorEvents, 'started' | 'output' | 'ended' | 'executorLost'>;

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

interface Running {
  attempt: HandlerToRun;
  startedAtMs: number;
  startedAtWallMs: number;
  timer: Timer | undefined;
  endRequest: { reason: 'timeout' | 'cancelled'; message: string } | undefined;
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
const FIRST_RESTART_MS = 100;
const MAX_RESTART_MS = 5_000;

/**
 * Runs handlers in a worker thread, many at a time, fed in batches: the worker's main thread stays free for its stream.
 *
 * JavaScript cannot stop one function: a handler that does not heed its signal within its grace is ended with the whole
 * thread. What else ran in that thread is reported as lost (`executorLost`), as with a lost executor, and a new thread is
 * started. So are all that run when a handler exits the thread or exhausts its memory.
 */
export class HandlerRunner {
  private readonly running = new Map<string, Running>();
  private link: HandlerThreadLink | undefined;
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

  /** What becomes of it arrives through the events. */
  run(attempt: HandlerToRun): void {
    if (this.stopping) {
      return;
    }
    if (!this.up || this.link === undefined) {
      this.waiting.push(attempt);
      return;
    }
    const { clock } = this.params;
    this.running.set(attempt.attemptId, {
      attempt,
      startedAtMs: clock.monotonicMs(),
      startedAtWallMs: clock.wallMs(),
      timer: undefined,
      endRequest: undefined,
      killed: undefined,
    });
    this.noteBusy();
    this.link.send({ kind: 'run', attempt });
  }

  /** Aborts its signal now and ends its thread after its grace. It then ends as `cancelled`. */
  cancel(attemptId: string, reason: string): void {
    const waiting = this.waiting.find((attempt) => attempt.attemptId === attemptId);
    if (waiting !== undefined) {
      this.waiting = this.waiting.filter((attempt) => attempt !== waiting);
      this.params.events.ended(this.unsettledEnd(waiting, { reason: 'cancelled', message: reason }, undefined));
      return;
    }
    this.endSoon(attemptId, { reason: 'cancelled', message: reason });
  }

  /** Nothing of it runs when this resolves, and nothing is reported. */
  async kill(attemptId: string, { message, graceMs } = NOT_OURS): Promise<void> {
    this.waiting = this.waiting.filter((attempt) => attempt.attemptId !== attemptId);
    const running = this.running.get(attemptId);
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
    const link = new HandlerThreadLink({
      clock: this.params.clock,
      entry,
      environment,
      modulePath,
      onMessage: (message) => this.accept(message),
      onLost: (detail) => {
        if (link === this.link) {
          this.replace(detail);
        }
      },
    });
    this.link = link;
    await link.start();
    this.up = !this.stopping;
    this.waiting.splice(0).forEach((attempt) => this.run(attempt));
  }

  private accept(message: FromThread): void {
    const { events, logger } = this.params;
    switch (message.kind) {
      case 'started':
        return this.started(message.attemptId);
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

  private started(attemptId: string): void {
    const running = this.running.get(attemptId);
    if (running === undefined) {
      return;
    }
    const { clock, events } = this.params;
    const { timeoutMs } = running.attempt;
    running.startedAtMs = clock.monotonicMs();
    running.startedAtWallMs = clock.wallMs();
    if (timeoutMs > 0 && running.endRequest === undefined && running.killed === undefined) {
      const message = `did not end within ${timeoutMs} ms`;
      running.timer = setLongTimer(clock, timeoutMs, () => this.endSoon(attemptId, { reason: 'timeout', message }));
    }
    events.started(attemptId, process.pid, running.startedAtWallMs);
  }

  private settled(message: Extract<FromThread, { kind: 'settled' }>): void {
    const running = this.forget(message.attemptId);
    if (running?.killed !== undefined) {
      this.noteBusy();
    } else if (running !== undefined) {
      const { outcome, aborted, counts, output } = message;
      // One whose end crossed the cancel ended by itself.
      const endRequest = aborted ? running.endRequest : undefined;
      this.params.events.ended(toHandlerEnd({ ...this.timing(running), outcome, counts, output, endRequest }));
      this.noteBusy();
    }
  }

  private endSoon(attemptId: string, endRequest: NonNullable<Running['endRequest']>): void {
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
    const { events } = this.params;
    await this.link?.end();
    const ran = [...this.running.keys()].flatMap((attemptId) => this.forget(attemptId) ?? []);
    this.noteBusy();
    const lost: string[] = [];
    for (const running of ran) {
      if (running.killed === undefined && running.endRequest !== undefined) {
        events.ended(this.unsettledEnd(running.attempt, running.endRequest, running));
      } else if (running.killed === undefined) {
        lost.push(running.attempt.attemptId);
      }
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
    running?.timer?.cancel();
    this.running.delete(attemptId);
    running?.killed?.resolve();
    return running;
  }

  private timing({ attempt, startedAtMs, startedAtWallMs }: Running): {
    attemptId: string;
    startedAtWallMs: number;
    durationMs: number;
  } {
    const durationMs = Math.round(this.params.clock.monotonicMs() - startedAtMs);
    return { attemptId: attempt.attemptId, startedAtWallMs, durationMs };
  }

  private unsettledEnd(
    attempt: HandlerToRun,
    endRequest: NonNullable<Running['endRequest']>,
    running: Running | undefined,
  ): ExecutorEnd {
    const timing =
      running === undefined
        ? { attemptId: attempt.attemptId, startedAtWallMs: this.params.clock.wallMs(), durationMs: 0 }
        : this.timing(running);
    return toHandlerEnd({ ...timing, outcome: undefined, counts: undefined, output: [], endRequest });
  }

  private noteBusy(): void {
    const busy = [...this.running.values()].some(({ attempt }) => attempt.onLeaseLost !== 'continue');
    if (busy !== this.busy) {
      this.busy = busy;
      this.params.onBusy(busy);
    }
  }
}
