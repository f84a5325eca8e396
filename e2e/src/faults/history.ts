import type { Attempt } from '../harness/api.js';

/** What a submission came to, as its client sees it. `unknown`: no answer that says either. */
export type SubmitOutcome = 'accepted' | 'refused' | 'unknown';

export interface Submission {
  /** The job's name and its Idempotency-Key: unique in a run. */
  key: string;
  outcome: SubmitOutcome;
  /** Of the job, when accepted. */
  id?: string;
  /** The state in which it has to end. */
  expects: 'succeeded' | 'failed' | 'any';
  atMs: number;
  tries: number;
}

/** One line that a command wrote itself; the order of the lines in the file is the order in which they were written. */
export interface CommandLine {
  kind: 'start' | 'tick' | 'end';
  job: string;
  attempt: number;
  fence: number;
  pid: number;
  worker: string;
  /** By the machine's uptime. */
  atMs: number;
  /** With `end`: the exit code that follows. */
  code?: number;
}

/** A job's last record, as the API answers it. */
export interface JobRecord {
  id: string;
  name: string;
  state: string;
  attempt: number;
  attempts: number;
  workerLosses: number;
  history: Attempt[];
}

export interface Fault {
  atMs: number;
  what: string;
  target: string;
  /** Workers that may lose attempts through it. `*` = all of them. */
  mayLose: readonly string[];
  /** For how long from `atMs` on. Default LOSSES_FOLLOW_WITHIN_MS. */
  mayLoseForMs?: number;
  /** What `target` ran before may write for so long from now on, although it runs elsewhere already. */
  mayOverlapMs?: number;
  /** What ran on `target` at that moment runs elsewhere (or there again) within so long. */
  reassignedWithinMs?: number;
}

/** Everything that is known of one run: what the checker judges. */
export interface History {
  submissions: readonly Submission[];
  lines: readonly CommandLine[];
  jobs: readonly JobRecord[];
  faults: readonly Fault[];
  /** What was found in Redis, /proc or cgroups when everything was over. */
  left: readonly string[];
  /** For how long two attempts of a job may have run together, whatever was done. */
  overlapMs: number;
  /** Wall clock at uptime 0, to compare the API's times with the others. */
  bootWallMs: number;
}

/** A worker that is silent is dead after 15 s, and its jobs taken back soon after that. */
export const LOSSES_FOLLOW_WITHIN_MS = 45_000;

export const FINAL_STATES = ['succeeded', 'failed', 'cancelled', 'skipped'];

/** With a job only its last attempts are kept. */
export const HISTORY_LIMIT = 20;
