import { format } from 'node:util';

import { type Clock, MAX_RESULT_BYTES } from '@orchestrator/core';

import type { OutputStreamName } from '../executor.js';
import { AttemptOutput } from '../process/attempt-output.js';
import { HandlerAbortError, type HandlerContext } from './handler-context.js';
import type { Handler } from './handler-module.js';
import type { FromThread, HandlerOutcome, HandlerToRun, ToThread } from './handler-wire.js';
import { isRetryable } from './non-retryable-error.js';

const MAX_MESSAGE_CHARS = 4_000;

export interface RunningHandlerParams {
  clock: Clock;
  attempt: HandlerToRun;
  post: (message: FromThread) => void;
  onOutput: (running: RunningHandler) => void;
}

/** One call of a handler, in the thread. */
export class RunningHandler {
  readonly output: AttemptOutput;
  readonly startedAtMs: number;
  readonly startedAtWallMs: number;
  /** Made when somebody asks for it: most handlers never do. */
  private controller: AbortController | undefined;
  private settled = false;

  constructor(private readonly params: RunningHandlerParams) {
    this.output = new AttemptOutput(params.attempt.attemptId, params.attempt.maxOutputBytes);
    this.startedAtMs = params.clock.monotonicMs();
    this.startedAtWallMs = params.clock.wallMs();
  }

  async run(handler: Handler | undefined): Promise<void> {
    const { attempt } = this.params;
    if (handler === undefined) {
      const message = `the worker's module exports no handler ${JSON.stringify(attempt.handler)}`;
      return this.settle({ ok: false, message, retryable: false });
    }
    try {
      this.settle(toOutcome(await handler(attempt.job, this.context())));
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    this.settle({ ok: false, message: describe(error), retryable: isRetryable(error) });
  }

  get attemptId(): string {
    return this.params.attempt.attemptId;
  }

  get hasSettled(): boolean {
    return this.settled;
  }

  abort(message: Extract<ToThread, { kind: 'abort' }>): void {
    this.abortController().abort(new HandlerAbortError(message.reason, message.message));
  }

  write(stream: OutputStreamName, data: Buffer): void {
    if (!this.settled) {
      this.output.append(stream, data);
      this.params.onOutput(this);
    }
  }

  private settle(outcome: HandlerOutcome): void {
    if (!this.settled) {
      this.settled = true;
      const { attemptId } = this.params.attempt;
      const { output, startedAtWallMs } = this;
      const aborted = this.controller?.signal.aborted ?? false;
      this.params.post({
        kind: 'settled',
        attemptId,
        outcome,
        aborted,
        startedAtWallMs,
        durationMs: this.params.clock.monotonicMs() - this.startedAtMs,
        counts: output.counts(),
        output: output.takeAll(),
      });
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
