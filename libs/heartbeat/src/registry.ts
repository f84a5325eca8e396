/**
 * The registry of sessions, in the control slot. A worker process is a session; it is registered by its Hello, renewed
 * by its heartbeats, and declared dead once and for ever. What must hold: docs/architecture.md, "Who owns a job".
 *
 * Every call rejects when Redis did not confirm it in time; it may then have been executed, and may be repeated.
 */
export interface SessionRegistry {
  /** Registers, or refuses. An accepted Hello counts as a renewal and gets a new, higher epoch. */
  hello(request: HelloRequest): Promise<HelloReply>;
  /** Renews a batch at once; in order. Only what is answered `alive` was renewed. */
  renew(renewals: readonly Renewal[]): Promise<RenewalReply[]>;
  /** The session's own last will. Idempotent; answers the death that stands, or undefined for an unknown session. */
  declareGone(session: string, reason: DeathReason): Promise<Death | undefined>;
  /**
   * The leader's verdict after silence. Rejects with `StaleTermError` when a higher term was minted and with
   * `OtherServerError` when it was judged on another server; answers `renewed` when the session has been renewed since
   * the look it was judged by. With reason `unregistered` it enters a session as dead that only a gate knows.
   */
  declareDead(verdict: DeathVerdict): Promise<Death | 'renewed' | 'unknown'>;
  /** Marks a worker's session as draining; told to it by its scheduler. */
  drain(worker: string): Promise<'draining' | 'unknown'>;
  /** What a judge goes by: how often all that live were renewed. A small part of what a look costs. */
  pulses(): Promise<RegistryPulses>;
  /** One consistent look at everything that lives or died lately, with the server it was taken from. */
  look(): Promise<RegistryLook>;
  get(session: string): Promise<SessionRecord | undefined>;
  /** The session in place of a worker id. */
  ofWorker(worker: string): Promise<SessionRecord | undefined>;
  /** Forgets dead sessions older than `deadKeptMs` (default 24 h) that `keep` does not name. */
  forget(keep: ReadonlySet<string>): Promise<number>;
  /** A scheduler says that it is there; again every `ANNOUNCE_INTERVAL_MS`. */
  announce(scheduler: SchedulerPresence): Promise<void>;
  /** It stops in good order. */
  withdraw(schedulerId: string): Promise<void>;
  /** Schedulers that announced themselves within `PRESENCE_MS`, by Redis' clock: to spread workers, for nothing else. */
  schedulers(): Promise<SchedulerPresence[]>;
  /** Mints the next term: max(stored + 1, Redis' time in ms). */
  mintTerm(leader: string): Promise<number>;
  currentTerm(): Promise<{ term: number; leader: string } | undefined>;
}

export const ANNOUNCE_INTERVAL_MS = 3_000;
export const PRESENCE_MS = 12_000;

export interface SchedulerPresence {
  id: string;
  version: string;
  /** Workers that it serves. */
  workers: number;
}

export interface SessionInfo {
  pools: readonly string[];
  slots: number;
  labels: Readonly<Record<string, string>>;
  version: string;
  host: string;
  pid: number;
}

export interface HelloRequest {
  session: string;
  worker: string;
  /** Grows within the session. */
  number: number;
  /** It has been welcomed before. */
  hasRun: boolean;
  leaseMs: number;
  /** Which scheduler it is connected to. */
  scheduler: string;
  info: SessionInfo;
}

export type HelloReply =
  | { status: 'welcome'; epoch: number; draining: boolean }
  | { status: 'session_dead'; reason: string }
  | { status: 'superseded'; bySession: string }
  /** STALE_HELLO: one that is not higher than the highest seen. */
  | { status: 'stale_hello'; highest: number }
  /** The session is another worker's. */
  | { status: 'foreign' };

export interface Renewal {
  session: string;
  /** That of its Welcome. The first one with it takes the worker id's place. */
  epoch: number;
  freeSlots: number;
  load: number;
  memoryUsedBytes: number;
  memoryTotalBytes: number;
  /** It beats but takes no work: its scheduler's judgement. */
  wedged?: boolean;
}

export type RenewalReply =
  /** `superseded`: the session of the same worker id that this renewal, its first, has pushed out. */
  | { status: 'alive'; draining: boolean; superseded: string | undefined }
  | { status: 'session_dead'; reason: string }
  | { status: 'superseded'; bySession: string }
  /** It names an older Welcome than the last one: the worker is elsewhere by now. Not renewed, not to be acknowledged. */
  | { status: 'stale_epoch'; epoch: number };

export const DEATH_REASONS = ['process_ended', 'superseded', 'silent', 'unregistered', 'left'] as const;
/** `superseded` and `left` return their jobs for free; the others count the first `slots` as losses. */
export type DeathReason = (typeof DEATH_REASONS)[number];

export interface DeathVerdict {
  session: string;
  term: number;
  /** The renewal count it was judged by. */
  renewals: number;
  /** `run_id` of the server it was judged on; refused (rejects) when it is another now. */
  runId: string;
  reason: DeathReason;
}

/** What has to be carried out in each pool. */
export interface Death {
  session: string;
  worker: string;
  /** Empty for `unregistered`: carry it out wherever a gate names it. */
  pools: readonly string[];
  /** How many of its jobs count as losses. */
  losses: number;
  reason: DeathReason;
  declaredAt: number;
}

export interface SessionRecord {
  session: string;
  worker: string;
  state: 'alive' | 'superseded' | 'dead';
  epoch: number;
  firstEpoch: number;
  helloNumber: number;
  leaseMs: number;
  renewals: number;
  draining: boolean;
  scheduler: string;
  info: SessionInfo;
  freeSlots: number;
  load: number;
  memoryUsedBytes: number;
  memoryTotalBytes: number;
  startedAt: number;
  lastRenewedAt: number;
  /** As its last renewal said; a Hello says nothing of it and changes nothing. */
  wedged: boolean;
  /** Of a dead one. */
  death: Death | undefined;
}

export interface Pulse {
  session: string;
  /** Grows with each Hello and each renewal. */
  renewals: number;
  leaseMs: number;
}

export interface RegistryPulses {
  runId: string;
  /** The current one; 0 when none was minted. */
  term: number;
  /** Alive or superseded. */
  living: Pulse[];
}

export interface RegistryLook {
  runId: string;
  /** Redis' time, to compare `lastRenewedAt` with (for people). */
  now: number;
  /** The current one; 0 when none was minted. */
  term: number;
  /** All that live, and the latest of those that died lately. */
  sessions: SessionRecord[];
}
