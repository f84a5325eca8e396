import { format } from 'node:util';

import { type Clock, type JobSpec, MAX_RESULT_BYTES, type OutputCounts } from '@orchestrator/core';

import type { ExecutorOutput, OutputStreamName } from '../executor.js';
import { AttemptOutput } from '../process/attempt-output.js';
import { HandlerAbortError, type HandlerContext } from './handler-context.js';
import type { Handler } from './handler-module.js';
import type { HandlerJob, HandlerOutcome, QueuedHandler, ToThread } from './handler-wire.js';
import { isRetryable } from './non-retryable-error.js';

const MAX_MESSAGE_CHARS = 4_000;
const NO_OUTPUT: OutputCounts = { stdoutBytes: 0, stderrBytes: 0, truncated: false };

/** The thread, as one call of a handler sees it. */
export interface HandlerHost {
  clock: Clock;
  find: (name: string) => Handler | undefined;
  /** Called once: what became of it. Its function may go on. */
  settled: (running: RunningHandler, outcome: HandlerOutcome) => void;
  onOutput: (running: RunningHandler, output: AttemptOutput) => void;
  /** Its function has come to its end, later than `run`. */
  ended: (running: RunningHandler) => void;
}

/** One call of a handler, in the thread. */
export class RunningHandler {
  readonly startedAtWallMs: number;
  /** Made when it prints something: most handlers never do. */
  private captured: AttemptOutput | undefined;
  /** Made when somebody asks for it. */
  private controller: AbortController | undefined;
  private settled = false;

  constructor(
    readonly attempt: QueuedHandler,
    readonly startedAtMs: number,
    private readonly host: HandlerHost,
  ) {
    this.startedAtWallMs = host.clock.wallMs();
  }

  /** Calls its function. True: that goes on, and `ended` will follow. */
  run(): boolean {
    const spec = JSON.parse(this.attempt.specJson) as JobSpec;
    const name = spec.handler ?? '';
    const handler = this.host.find(name);
    if (handler === undefined) {
      const message = `the worker's module exports no handler ${JSON.stringify(name)}`;
      this.settle({ ok: false, message, retryable: false });
      return false;
    }
    try {
      const returned = handler(toJob(this.attempt, spec), this.context());
      if (!isThenable(returned)) {
        this.succeed(returned);
        return false;
      }
      void Promise.resolve(returned).then(
        (result: unknown) => {
          this.succeed(result);
          this.host.ended(this);
        },
        (error: unknown) => {
          this.fail(error);
          this.host.ended(this);
        },
      );
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  fail(error: unknown): void {
    this.settle({ ok: false, message: describe(error), retryable: isRetryable(error) });
  }

  get hasSettled(): boolean {
    return this.settled;
  }

  get isAborted(): boolean {
    return this.controller?.signal.aborted ?? false;
  }

  /** Undefined: it has printed nothing. */
  get output(): AttemptOutput | undefined {
    return this.captured;
  }

  abort(message: Extract<ToThread, { kind: 'abort' }>): void {
    this.abortController().abort(new HandlerAbortError(message.reason, message.message));
  }

  write(stream: OutputStreamName, data: Buffer): void {
    if (!this.settled) {
      this.captured ??= new AttemptOutput(this.attempt.attemptId, this.attempt.maxOutputBytes);
      this.captured.append(stream, data);
      this.host.onOutput(this, this.captured);
    }
  }

  /** All that it has printed and nobody has acknowledged. */
  takeOutput(): { counts: OutputCounts; output: ExecutorOutput[] } {
    return { counts: this.captured?.counts() ?? NO_OUTPUT, output: this.captured?.takeAll() ?? [] };
  }

  private succeed(result: unknown): void {
    let outcome: HandlerOutcome;
    try {
      outcome = toOutcome(result);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.settle(outcome);
  }

  private settle(outcome: HandlerOutcome): void {
    if (!this.settled) {
      this.settled = true;
      this.host.settled(this, outcome);
    }
  }

  private context(): HandlerContext {
    const log = (...values: unknown[]): void => this.write('stdout', Buffer.from(`${format(...values)}\n`));
    const signal = (): AbortSignal => this.abortController().signal;
    return {
      get signal() {
        return signal();
      },
      log,
    };
  }

  private abortController(): AbortController {
    return (this.controller ??= new AbortController());
  }
}

function toJob({ jobId, attempt, fence, workerId, traceparent }: QueuedHandler, spec: JobSpec): HandlerJob {
  return {
    id: jobId,
    name: spec.name,
    data: spec.data,
    attempt,
    fence,
    workerId,
    labels: spec.labels ?? {},
    ...(spec.batchId === undefined ? undefined : { batchId: spec.batchId }),
    ...(traceparent === '' ? undefined : { traceparent }),
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  const holds = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return holds && typeof (value as { then?: unknown }).then === 'function';
}

function toOutcome(result: unknown): HandlerOutcome {
  const resultJson: string | undefined = JSON.stringify(result);
  const bytes = resultJson === undefined ? 0 : Buffer.byteLength(resultJson);
  if (bytes > MAX_RESULT_BYTES) {
    const message = `the handler's result has ${bytes} bytes of JSON: at most ${MAX_RESULT_BYTES} are kept`;
    return { ok: false, message, retryable: false };
  }
  return { ok: true, resultJson };
}

function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : format('%s', error);
  return text.length > MAX_MESSAGE_CHARS ? `${text.slice(0, MAX_MESSAGE_CHARS)}…` : text;
}
