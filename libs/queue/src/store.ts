import type { AttemptEnd, Job, JobRule, JobSpec, JobState, ReturnReason, Ulid } from '@orchestrator/core';

/**
 * The port of the store: the operations that move jobs. Each is atomic for a batch inside one pool, may be sent twice,
 * and is answered only when the store has it. `redis/` is the real one; a readable one in memory is to come.
 *
 * A store object is a *client* of the store (a random id): it has one writing call in flight per pool, numbered. What is
 * called most (enqueue, claim, settle, turn) may go out beside that, by a second client of its own. A process that submits
 * and dispatches uses two stores. Every call rejects with `StoreUnavailableError` when it was not confirmed in time (it may
 * have been executed), and with `StaleCallError` when a later call overtook it.
 */
export interface QueueStore {
  readonly clientId: string;

  // ---- submitting
  /** `onSent`: they are on their way; each time, if they are sent again. */
  enqueue(pool: string, jobs: readonly NewJob[], onSent?: () => void): Promise<EnqueueReply[]>;

  // ---- attempts (only sessions whose gate is open)
  /** Never repeated when unanswered: the workers named are asked to say Hello again. */
  claim(pool: string, wants: readonly ClaimWant[]): Promise<ClaimReply>;
  settle(pool: string, ends: readonly Settlement[]): Promise<SettleVerdict[]>;
  /**
   * `settle`, then `claim`, in one step and one call. Never repeated when unanswered: it is as with a claim, and the ends
   * are to be told again by `settle`.
   */
  turn(pool: string, ends: readonly Settlement[], wants: readonly ClaimWant[]): Promise<TurnReply>;
  giveBack(pool: string, returns: readonly GiveBack[]): Promise<SettleVerdict[]>;

  // ---- sessions
  /**
   * Compares what a worker holds with the store, opens its gate, and adopts what it holds and the store has under a lower
   * fence (the claim was in a lost tail): unowned, or at a holder that has not confirmed it since, or has it frozen. In a recovery's first
   * `RECOVERY_MIN_MS` only an epoch that was minted after its beginning ends the waiting for a session.
   */
  reconcile(pool: string, request: ReconcileRequest): Promise<ReconcileReply>;
  /** Carries out a death in this pool: closes the gate, takes back one chunk of its jobs. Repeat until `remaining` is 0. */
  reclaim(pool: string, request: ReclaimRequest): Promise<ReclaimReply>;
  /**
   * The pool is on another server than it remembers (restart, failover): what was written last may be missing. Nothing is
   * claimed until each of these sessions, and each that a gate names, has made the last chunk of a reconcile or is dead,
   * and not before `RECOVERY_MIN_MS`. Idempotent; answers undefined when the pool is not in recovery (any more).
   */
  beginRecovery(pool: string, sessions: readonly string[]): Promise<PoolRecovery | undefined>;
  /** Whether the pool is in recovery, or has to be put into it (`begun: false`). */
  recovery(pool: string): Promise<PoolRecovery | undefined>;
  /** Whether there is something to do. Reads little and writes nothing. */
  glance(pool: string): Promise<PoolGlance>;
  /** Session -> epoch of every open gate; 0 for one without: its death is not carried out to its end, or it is awaited. */
  gates(pool: string): Promise<Map<string, number>>;
  /** What these sessions own, by session, in order of claim; of each the first `MAX_OWNED`. */
  owned(pool: string, sessions: readonly string[]): Promise<Map<string, Ulid[]>>;
  /** What workers are still to be told, of these sessions. Bounded; asked again every second. */
  pendingOrders(pool: string, sessions: readonly string[]): Promise<PendingOrder[]>;

  // ---- duties
  /** Moves what is due to `queued`, a bounded number. */
  promote(pool: string): Promise<PromoteReply>;
  /** Removes what retention no longer keeps, in one small step. Repeat while `more`. */
  trim(pool: string, limits: RetentionLimits): Promise<TrimReply>;

  // ---- users
  cancel(pool: string, ulids: readonly string[]): Promise<CancelVerdict[]>;
  retry(pool: string, ulids: readonly string[]): Promise<RetryVerdict[]>;
  purge(pool: string, ulids: readonly string[]): Promise<PurgeVerdict[]>;

  // ---- output
  /** `writer`: whose attempts they must be. Default: whoever knows the id of an attempt may write to it. */
  appendOutput(pool: string, chunks: readonly OutputChunk[], writer?: OutputWriter): Promise<OutputVerdict[]>;
  readOutput(pool: string, ulid: string, attempt: number): Promise<StoredOutput | undefined>;
  /** How far the output of a start goes by now: cheap, for who waits for more. */
  outputEnds(pool: string, ulid: string, attempt: number): Promise<OutputEnds>;

  // ---- reading
  getJobs(pool: string, ulids: readonly string[]): Promise<(Job | undefined)[]>;
  /** Newest first over one or all pools. Looks at no more than `MAX_SCAN` records, and reads about `MAX_PAGE_BYTES`. */
  listJobs(filter: JobFilter, page: PageRequest): Promise<JobPage>;
  counts(pool: string): Promise<Record<JobState, number>>;
  pools(): Promise<string[]>;
  /** Place in its pool's order from 0, or undefined when it is not queued. */
  position(pool: string, ulid: string): Promise<number | undefined>;

  // ---- batches (a slot of their own, counted in the pools)
  putBatch(batch: BatchRecord): Promise<void>;
  sealBatch(batchId: string): Promise<void>;
  getBatch(batchId: string): Promise<BatchStatus | undefined>;

  // ---- idempotency keys (a slot of their own)
  /** Writes the record if there is none; answers the one that stands. */
  beginIdempotent(key: string, record: IdempotencyRecord): Promise<{ record: IdempotencyRecord; created: boolean }>;
  finishIdempotent(key: string, answer: string): Promise<void>;
}

/** The largest batch of one script call. */
export const MAX_BATCH = 250;
/**
 * Ends, and jobs given away, of one `turn`: no script holds Redis for more than 5 ms. Measured: 12 to 16 us for a plain end
 * and a claim; an end with output, or one after which the job goes on, is to count twice.
 */
export const MAX_TURN = 250;
/** The most records that one page of a list looks at. */
export const MAX_SCAN = 10_000;
/** Bytes of records that one page of a list reads; it may then be shorter than asked for. */
export const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** A pool found on another server is claimed from after so long at the earliest. */
export const RECOVERY_MIN_MS = 3_000;
/** The most jobs of one session that `owned` answers. */
export const MAX_OWNED = 1_000;
/** The most bytes of specs that one claim answers (but for a single larger job). */
export const MAX_CLAIM_BYTES = 1024 * 1024;

export interface NewJob {
  ulid: Ulid;
  spec: JobSpec;
  rule: JobRule;
  priority: number;
  /** Not before: so long after Redis has it, or at this instant. At most one of the two. */
  delayMs?: number;
  runAtMs?: number;
}

export interface EnqueueReply {
  ulid: Ulid;
  state: JobState;
  createdAt: number;
  /** It was there already: a repetition. */
  repeated: boolean;
}

export interface ClaimWant {
  session: string;
  worker: string;
  epoch: number;
  /** Jobs wanted, at most; of those `free` go to free slots at once, the rest is prefetch. */
  max: number;
  free: number;
}

export interface ClaimedJob {
  ulid: Ulid;
  session: string;
  attemptId: string;
  fence: number;
  /** Which start this is, from 1. */
  number: number;
  /** core's JobSpec as JSON, as stored. */
  specJson: string;
}

/** A pool whose server is another than it remembers. */
export interface PoolRecovery {
  /** False: nobody has called `beginRecovery` yet. */
  begun: boolean;
  /** The server that it is on now: one recovery for each. */
  runId: string;
  /** Sessions still awaited; at random, some of them where there are more than 1,000. */
  awaited: string[];
  /** Milliseconds until `RECOVERY_MIN_MS` are over; before that it does not end, whoever has come. */
  notBeforeMs: number;
}

export interface PoolGlance {
  queued: number;
  /** When the next scheduled job is due, milliseconds from now by Redis' clock. */
  nextDueInMs: number | undefined;
  /** Set: nothing is claimed, since the pool is in recovery, or has to be put into it. */
  recovery?: PoolRecovery;
}

export interface ClaimReply {
  /** Set: nothing was claimed, since the pool is in recovery, or has to be put into it. */
  recovery?: PoolRecovery;
  jobs: ClaimedJob[];
  /** Jobs still queued. */
  queued: number;
  /** When the next scheduled job is due, milliseconds from now by Redis' clock. */
  nextDueInMs: number | undefined;
  /** Sessions whose gate did not match: say Hello again. */
  refused: string[];
}

export interface AttemptKey {
  ulid: string;
  attemptId: string;
  fence: number;
}

/** What a worker says of an attempt. */
export interface Report extends AttemptKey {
  /** The session that says so: to another's than the job's the attempt is `stale`. Without it whoever knows its name may. */
  by?: string;
}

export interface Settlement extends Report {
  outcome: 'succeeded' | 'failed' | 'cancelled';
  end: AttemptEnd;
  /** False: do not retry, whatever the rule says. */
  retryable: boolean;
  /** It was frozen once: a failure then counts as a loss. */
  wasFrozen: boolean;
  /** Who ran it: an unowned job with a lower fence is adopted and settled in one step. */
  holder?: { session: string; worker: string; number: number };
  /** What was not appended before. */
  output: readonly OutputChunk[];
}

/**
 * `accepted`: the state changed because of it. `repeated`: it had been accepted before. `stale`: the attempt does not
 * hold the job; nothing changed. For all three the worker may forget it.
 */
export type SettleVerdict = 'accepted' | 'repeated' | 'stale';

export interface GiveBack extends Report {
  reason: ReturnReason;
  started: boolean;
}

export interface ReconcileRequest {
  session: string;
  worker: string;
  epoch: number;
  /** What the worker has not seen recorded, of this pool; at most `MAX_BATCH`. */
  held: readonly HeldAttempt[];
  /** The last chunk: what the session owns under a lower epoch and did not name is queued again for free. */
  last: boolean;
}

export interface HeldAttempt extends AttemptKey {
  /** Which start it is, from 1; 0 when unknown. */
  number?: number;
  state: 'running' | 'frozen' | 'finished' | 'returned';
}

export type HeldVerdict = 'held' | 'gone' | 'unknown';

export interface ReconcileReply {
  /** In the order of `held`. `unknown`: it is frozen, and stays so until it is asked again after the pool's recovery. */
  verdicts: HeldVerdict[];
  /** Queued again for free. */
  requeued: number;
  /** Of `held`: taken back from a lost tail. */
  adopted: number;
  /** Send the last chunk again: not everything was looked at. */
  more: boolean;
  /** Orders still to be told for what is held. */
  orders: PendingOrder[];
}

export interface TurnReply {
  /** In the order of the ends. */
  verdicts: SettleVerdict[];
  claimed: ClaimReply;
}

export interface ReclaimRequest {
  session: string;
  /** How many of its jobs, in order of claim, count as losses; 0 = all return for free. */
  losses: number;
  /** For history and events, as in "no heartbeat for 15 s". */
  reason: string;
}

export interface ReclaimReply {
  /** What moved in this chunk. */
  moved: { ulid: Ulid; worker: string; lost: boolean; state: JobState }[];
  remaining: number;
}

export interface PendingOrder {
  ulid: Ulid;
  session: string;
  attemptId: string;
  fence: number;
  order: 'cancel';
}

export interface PromoteReply {
  moved: number;
  queued: number;
  nextDueInMs: number | undefined;
}

export interface RetentionLimits {
  maxFinished: number;
  maxOutputBytes: number;
}

export interface TrimReply {
  jobs: number;
  outputs: number;
  more: boolean;
  /** Batches of which this pool has no job left. */
  emptiedBatches: string[];
}

export type CancelVerdict = 'cancelled' | 'requested' | 'final' | 'not_found';
export type RetryVerdict = 'queued' | 'not_retryable' | 'not_found';
export type PurgeVerdict = 'purged' | 'not_final' | 'not_found';

export interface OutputChunk extends AttemptKey {
  /** Which start, from 1: outputs are kept by it. */
  number: number;
  stream: 'stdout' | 'stderr';
  offset: number;
  /** Orders the chunks of both streams as they came. */
  sequence: number;
  data: Buffer;
}

/**
 * `stale`: the attempt does not hold the job; the chunk was refused for good. `lost`: the store has lost its claim; the
 * chunk is to be sent again when its worker has said that it holds it. `foreign`: the attempt is another session's.
 */
export interface OutputVerdict {
  verdict: 'stored' | 'stale' | 'lost' | 'foreign';
  /** Everything below is stored. */
  endOffset: number;
}

/** Who says that output is its own; an empty one is not compared. */
export interface OutputWriter {
  session: string;
  worker: string;
}

/** Offsets behind the last byte. */
export interface OutputEnds {
  stdout: number;
  stderr: number;
}

export interface StoredOutput {
  chunks: { stream: 'stdout' | 'stderr'; offset: number; sequence: number; data: Buffer }[];
}

export interface JobFilter {
  states?: readonly JobState[];
  pool?: string;
  name?: string;
  batchId?: string;
  labels?: Readonly<Record<string, string>>;
}

export interface PageRequest {
  limit: number;
  /** As answered by the page before. @throws InvalidCursorError when it is not ours. */
  cursor?: string;
}

export interface JobPage {
  jobs: Job[];
  nextCursor: string | undefined;
}

export interface BatchRecord {
  batchId: string;
  name: string | undefined;
  total: number;
  pools: readonly string[];
}

export interface BatchStatus {
  batchId: string;
  name: string | undefined;
  total: number;
  pools: readonly string[];
  counts: Record<JobState, number>;
  /** All pieces are written. */
  sealed: boolean;
  /** All that were written are final. */
  done: boolean;
}

/** What a request was and which ids it got, written before anything else. */
export interface IdempotencyRecord {
  /** SHA-256 of the body. */
  bodyHash: string;
  /** The ids made for it: ULIDs, and the batch's. */
  ids: readonly string[];
  batchId?: string;
  createdAt: number;
  /** The first answer, once it was given in full. */
  answer?: string;
}
