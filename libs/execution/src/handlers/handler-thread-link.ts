import { Worker } from 'node:worker_threads';

import type { Clock } from '@orchestrator/core';

import { builtEntry } from '../built-entry.js';
import { createDeferred } from '../deferred.js';
import { HandlerLoadError } from '../errors.js';
import type { FromThread, PlainEnd, QueuedHandler, ThreadSetup, ToThread } from './handler-wire.js';
import { eachEnd, type PostedFromThread, type PostedToThread, putRun } from './posted.js';

/** The worker's own way into its cluster is none of the handlers' business. */
const WITHHELD = /^ORCHESTRATOR_/;

/** A module may await at its top level; one that never ends would keep jobs waiting for ever. */
const START_LIMIT_MS = 30_000;

export interface HandlerThreadLinkParams {
  clock: Clock;
  modulePath: string;
  /** Of this thread's `SharedCells`. */
  shared: SharedArrayBuffer;
  entry: string | undefined;
  environment: Readonly<Record<string, string | undefined>>;
  onEnd: (end: PlainEnd) => void;
  onMessage: (message: FromThread) => void;
  /** Called once: the thread has ended, and not because of `end`. */
  onLost: (detail: string) => void;
}

/** One thread, as the main thread sees it. */
export class HandlerThreadLink {
  private readonly thread: Worker;
  private readonly ready = createDeferred();
  private outgoing: PostedToThread = { runs: [], messages: [] };
  private postIsDue = false;
  private over = false;
  private lastError: string | undefined;

  constructor(private readonly params: HandlerThreadLinkParams) {
    const workerData: ThreadSetup = { modulePath: params.modulePath, shared: params.shared };
    const env = Object.fromEntries(Object.entries(params.environment).filter(([name]) => !WITHHELD.test(name)));
    this.thread = new Worker(params.entry ?? builtEntry('handlers/handler-thread'), { workerData, env });
    this.thread.on('message', ({ ends, messages }: PostedFromThread) => {
      eachEnd(ends, (end) => this.acceptEnd(end));
      messages.forEach((message) => this.accept(message));
    });
    this.thread.on('error', (error) => {
      this.lastError = error.message;
    });
    this.thread.on('exit', (code) => this.exited(code));
  }

  /** @throws {HandlerLoadError} when the thread cannot load the module. */
  async start(): Promise<void> {
    const { clock, modulePath } = this.params;
    const timer = clock.setTimer(START_LIMIT_MS, () => {
      this.ready.reject(new HandlerLoadError(modulePath, `it was not loaded within ${START_LIMIT_MS} ms`));
      void this.end();
    });
    try {
      await this.ready.promise;
    } finally {
      timer.cancel();
    }
  }

  run(attempt: QueuedHandler): void {
    putRun(this.outgoing.runs, attempt);
    this.postSoon();
  }

  send(message: ToThread): void {
    this.outgoing.messages.push(message);
    this.postSoon();
  }

  /** Nothing runs in it when this resolves. */
  async end(): Promise<void> {
    this.over = true;
    this.ready.reject(new HandlerLoadError(this.params.modulePath, 'its thread was ended before'));
    await this.thread.terminate();
  }

  private postSoon(): void {
    if (!this.postIsDue) {
      this.postIsDue = true;
      setImmediate(() => {
        this.postIsDue = false;
        this.thread.postMessage(this.outgoing);
        this.outgoing = { runs: [], messages: [] };
      });
    }
  }

  private acceptEnd(end: PlainEnd): void {
    if (!this.over) {
      this.params.onEnd(end);
    }
  }

  private accept(message: FromThread): void {
    if (message.kind === 'ready') {
      this.ready.resolve();
    } else if (message.kind === 'unloadable') {
      this.ready.reject(new HandlerLoadError(this.params.modulePath, message.detail));
      void this.end();
    } else if (!this.over) {
      this.params.onMessage(message);
    }
  }

  private exited(code: number): void {
    if (!this.over) {
      this.over = true;
      const detail = `the handlers' thread ended: ${this.lastError ?? `a handler exited with code ${code}`}`;
      this.ready.reject(new HandlerLoadError(this.params.modulePath, detail));
      this.params.onLost(detail);
    }
  }
}
