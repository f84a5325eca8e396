import type { AttemptToRun, ExecutorEnd, ExecutorOutput, OutputStreamName } from './executor.js';
import type { MarkOwner } from './mark.js';
import type { SchedulerTls } from './scheduler-tls.js';

/** What the executor needs to tell the schedulers that its worker's process has ended. */
export interface LastWill {
  /** `host:port`, tried in this order. */
  addresses: readonly string[];
  joinToken: string;
  /** Where a newer one is found, when there is one. */
  joinTokenFile?: string | undefined;
  /** Undefined: plain text. */
  tls?: SchedulerTls | undefined;
}

/** `auto`: where the kernel has cgroup v2, it may be written to and moving a process is quick. */
export type CgroupUse = 'off' | 'auto';

/** Small processes that start commands for the executor. `auto`: while many are started. The rest is for tests. */
export type HelperUse = 'off' | 'auto' | 'always' | 'always-perl';

export interface ExecutorSetup {
  owner: MarkOwner;
  /** Secrets travel here and never in argv or the environment. */
  lastWill: LastWill | undefined;
  /** For commands whose job names none. */
  cwd: string;
  cgroup: CgroupUse;
  helpers: HelperUse;
  /** What every command gets. */
  baseEnvironment: Readonly<Record<string, string>>;
}

/** From the worker. The numbered ones are answered by `done`. */
export type ToExecutor =
  | { kind: 'setup'; setup: ExecutorSetup }
  /** `slots`: from now on so many run at once; undefined: all. */
  | { kind: 'run'; attempt: AttemptToRun; slots: number | undefined }
  | { kind: 'recall'; attemptId: string }
  | { kind: 'cancel'; attemptId: string; reason: string }
  | { kind: 'kill'; number: number; attemptId: string }
  | { kind: 'killAll'; number: number }
  | { kind: 'stop'; number: number }
  | { kind: 'lease'; sentAtUptimeMs: number; leaseMs: number }
  | { kind: 'held'; attemptIds: readonly string[]; sentAtUptimeMs: number }
  | { kind: 'acknowledge'; attemptId: string; stream: OutputStreamName; endOffset: number }
  /** Handlers run in the worker's own process: all the executor can do about them is to end that process. */
  | { kind: 'handlers'; running: boolean }
  | { kind: 'ping'; number: number };

export type FromExecutor =
  /** Both directories are to be removed if the executor cannot do it itself; what is in the cgroup is to be killed. */
  | { kind: 'ready'; directory: string | undefined; cgroup: string | undefined }
  | { kind: 'started'; attemptId: string; pid: number; startedAtWallMs: number }
  | { kind: 'output'; chunk: ExecutorOutput }
  | { kind: 'ended'; end: ExecutorEnd }
  | { kind: 'leaseLost' | 'frozen' | 'thawed' | 'freezeLimitReached'; attemptIds: string[] }
  /** As it was asked for, or at the end of the lease; nothing of these has run. */
  | { kind: 'recalled'; attemptIds: string[]; detail: string }
  /** For want of something that only the machine can give: nothing of these has run. */
  | { kind: 'unstarted'; attemptIds: string[]; detail: string }
  /** They had been started, and nobody knows how they ended: they are dead. */
  | { kind: 'lost'; attemptIds: string[]; detail: string }
  | { kind: 'done'; number: number }
  | { kind: 'pong'; number: number }
  | { kind: 'log'; level: 'info' | 'warn'; message: string; fields: Record<string, unknown> };

/** The descriptor of the socket to the worker, in the executor. */
export const CHANNEL_FD = 3;

/** All else that an executor sends is small. */
export function outputBytesOf(message: FromExecutor): number {
  switch (message.kind) {
    case 'output':
      return message.chunk.data.length;
    case 'ended':
      return message.end.output.reduce((sum, { data }) => sum + data.length, 0);
    default:
      return 0;
  }
}
