import type { AttemptEnd, OnLeaseLost } from '@orchestrator/core';

/** What runs commands for a worker: a separate process, so that a spawn never forks the worker's heap. */
export interface Executor {
  /** Starts the process (and its guard) and resolves when it answers. */
  start(): Promise<void>;
  /**
   * Starts a command, in the order of asking, as soon as fewer than `slots` run; it stays so until the next `run`. Default:
   * at once. What becomes of it arrives through the events. Never throws for a command that cannot start.
   */
  run(attempt: AttemptToRun, slots?: number): void;
  /** One that has not started because as many run as may is told `unstarted`, soon; another one goes on. */
  recall(attemptId: string): void;
  /** SIGTERM to the attempt's processes now, SIGKILL after its grace. It then ends as `cancelled`. */
  cancel(attemptId: string, reason: string): void;
  /** SIGKILL to everything of the attempt; swept until nothing is found; resolves then. Nothing is reported. */
  kill(attemptId: string): Promise<void>;
  killAll(): Promise<void>;
  /**
   * The lease was confirmed: `sentAtUptimeMs` is when the acknowledged heartbeat was *sent*, on the clock of
   * `uptimeMs()`. Past it + lease the executor does by itself what each attempt's `onLeaseLost` says.
   */
  renewLease(sentAtUptimeMs: number, leaseMs: number): void;
  /**
   * A scheduler has said `held` of these in answer to something *sent* at this instant. What was frozen before it, and not
   * longer than the lease ago, goes on.
   */
  confirmHeld(attemptIds: readonly string[], sentAtUptimeMs: number): void;
  /** The commands' output up to here is safe elsewhere. */
  acknowledgeOutput(attemptId: string, stream: OutputStreamName, endOffset: number): void;
  /** Ends it: everything dead, process gone, no last will sent. */
  stop(): Promise<void>;
}

export type OutputStreamName = 'stdout' | 'stderr';

export interface ExecutorEvents {
  started(attemptId: string, pid: number, startedAtWallMs: number): void;
  output(chunk: ExecutorOutput): void;
  ended(end: ExecutorEnd): void;
  /** Recalled, or the machine could not start these (no file handles, processes or memory left): nothing of them has run. */
  unstarted(attemptIds: readonly string[], detail: string): void;
  /** The lease ran out: these were killed. */
  leaseLost(attemptIds: readonly string[]): void;
  /** The lease ran out: everything of these is stopped until `confirmHeld`, `kill` or their freeze limit. */
  frozen?(attemptIds: readonly string[]): void;
  /** These were confirmed and go on. */
  thawed?(attemptIds: readonly string[]): void;
  /** Frozen for longer than they may be: these were killed. */
  freezeLimitReached?(attemptIds: readonly string[]): void;
  /** The executor's process, or a helper of it, died or did not answer: swept, these are lost; a new one is being started. */
  executorLost(attemptIds: readonly string[], detail: string): void;
}

export interface AttemptToRun {
  attemptId: string;
  /** Exactly one of the two. */
  command?: string;
  argv?: string[];
  /** The job's own, then ORCHESTRATOR_*: the base environment is added by the executor. */
  env: Readonly<Record<string, string>>;
  cwd?: string;
  stdin?: string;
  /** 0 = none. */
  timeoutMs: number;
  killGraceMs: number;
  /** Default `kill`. */
  onLeaseLost?: OnLeaseLost;
  /** Default `DEFAULT_FREEZE_LIMIT_MS`. */
  freezeLimitMs?: number;
  /** Captured of each stream, in bytes: the first quarter and the last three. */
  maxOutputBytes: number;
}

export interface ExecutorOutput {
  attemptId: string;
  stream: OutputStreamName;
  offset: number;
  sequence: number;
  data: Buffer;
}

export interface ExecutorEnd {
  attemptId: string;
  outcome: 'succeeded' | 'failed' | 'cancelled';
  end: Omit<AttemptEnd, 'result'>;
  /** What a handler returned, as JSON. */
  resultJson?: string;
  retryable: boolean;
  /** It was frozen once. */
  wasFrozen?: boolean;
  startedAtWallMs: number;
  durationMs: number;
  /** All that was captured and not acknowledged yet. */
  output: ExecutorOutput[];
}
