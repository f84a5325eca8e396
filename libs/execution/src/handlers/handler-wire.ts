import type { OnLeaseLost, OutputCounts } from '@orchestrator/core';

import type { ExecutorOutput, OutputStreamName } from '../executor.js';

/** What a handler gets as its first argument. */
export interface HandlerJob {
  id: string;
  name: string;
  /** As submitted: any JSON. */
  data: unknown;
  /** Counts every start of the job from 1. */
  attempt: number;
  /** Grows with each start of the job: what the handler writes elsewhere can be fenced with it. */
  fence: number;
  workerId: string;
  labels: Readonly<Record<string, string>>;
  batchId?: string;
  traceparent?: string;
}

export interface HandlerToRun {
  attemptId: string;
  jobId: string;
  /** Counts every start of the job from 1. */
  attempt: number;
  fence: number;
  /** '' = none. */
  traceparent: string;
  workerId: string;
  /** The job's spec as it arrived; it names the handler. Read in the thread. */
  specJson: string;
  maxOutputBytes: number;
  /** 0 = none. */
  timeoutMs: number;
  /** Between the abort of its signal and the end of the thread. */
  killGraceMs: number;
  /** A thread cannot be frozen: `freeze` is `kill` here. Default `kill`. */
  onLeaseLost?: OnLeaseLost;
}

/** What the thread is told of one. */
export type QueuedHandler = Omit<HandlerToRun, 'timeoutMs' | 'killGraceMs' | 'onLeaseLost'> & { cell: number };

/** How one ended that returned without a word and was not aborted: most do. */
export interface PlainEnd {
  cell: number;
  startedAtWallMs: number;
  durationMs: number;
  resultJson: string | undefined;
}

/** To the thread, beside what it is to run: what came within one turn travels together, and counts before anything is started. */
export type ToThread =
  /** So many may run at once. Also said when the lease is good again. */
  | { kind: 'slots'; slots: number }
  | { kind: 'abort'; attemptId: string; reason: 'timeout' | 'cancelled' | 'lost'; message: string }
  | { kind: 'acknowledge'; attemptId: string; stream: OutputStreamName; endOffset: number };

/** From the thread, beside plain ends. */
export type FromThread =
  | { kind: 'ready' }
  | { kind: 'unloadable'; detail: string }
  /** Only of what has not ended within the same turn. */
  | { kind: 'started'; attemptId: string; startedAtWallMs: number; forMs: number }
  /** It was taken back before it started: its cell is free. */
  | { kind: 'dropped'; cell: number }
  | { kind: 'output'; chunk: ExecutorOutput }
  | {
      kind: 'settled';
      attemptId: string;
      outcome: HandlerOutcome;
      /** Its signal had been aborted by then. */
      aborted: boolean;
      startedAtWallMs: number;
      durationMs: number;
      counts: OutputCounts;
      output: ExecutorOutput[];
    }
  | { kind: 'stray'; detail: string };

export type HandlerOutcome =
  { ok: true; resultJson: string | undefined } | { ok: false; message: string; retryable: boolean };

export interface ThreadSetup {
  modulePath: string;
  /** Of `SharedCells`. */
  shared: SharedArrayBuffer;
}
