import type { Clock, Job, JobState, Random, Ulid } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';
import { type Logger, silentLogger } from '@orchestrator/telemetry';

import { type QueueKeys, queueKeys } from '../keys.js';
import type {
  BatchRecord,
  BatchStatus,
  CancelVerdict,
  ClaimReply,
  ClaimWant,
  EnqueueReply,
  GiveBack,
  IdempotencyRecord,
  JobFilter,
  JobPage,
  NewJob,
  OutputChunk,
  OutputVerdict,
  OutputWriter,
  PageRequest,
  PendingOrder,
  PoolGlance,
  PoolRecovery,
  PromoteReply,
  PurgeVerdict,
  QueueStore,
  ReclaimReply,
  ReclaimRequest,
  ReconcileReply,
  ReconcileRequest,
  RetentionLimits,
  RetryVerdict,
  Settlement,
  SettleVerdict,
  OutputEnds,
  StoredOutput,
  TrimReply,
  TurnReply,
} from '../store.js';
import { MAX_TURN } from '../store.js';
import { Batches } from './batches.js';
import { type Durability, requireDurability } from './durability.js';
import { DurableWrites } from './durable-writes.js';
import { IdempotencyKeys } from './idempotency-keys.js';
import { PoolCalls } from './pool-calls.js';
import { getJobs } from './reads/get-jobs.js';
import { listJobs } from './reads/list-jobs.js';
import { readGates, readOwned, readPendingOrders } from './reads/pool-state.js';
import { readOutput, readOutputEnds } from './reads/read-output.js';
import { recoverPool } from './recover-pool.js';
import { requireBatch } from './require-batch.js';
import { requireJobs } from './require-jobs.js';
import { appendOutput } from './scripts/append-output.js';
import { cancel } from './scripts/cancel.js';
import { claim } from './scripts/claim.js';
import { counts } from './scripts/counts.js';
import { enqueue } from './scripts/enqueue.js';
import { glance } from './scripts/glance.js';
import { giveBack } from './scripts/give-back.js';
import { promote } from './scripts/promote.js';
import { purge } from './scripts/purge.js';
import { reclaim } from './scripts/reclaim.js';
import { reconcile } from './scripts/reconcile.js';
import { recovery } from './scripts/recovery.js';
import { retry } from './scripts/retry.js';
import { settle, type SettleParams } from './scripts/settle.js';
import { turn } from './scripts/turn.js';
import type { WithRandom } from './scripts/with-random.js';
import { trimPool } from './trim-pool.js';

export interface RedisQueueStoreParams {
  /** For the pools' slots. */
  redis: RedisClient;
  /** For what lies outside of them: the list of pools, batches, idempotency keys. Default `redis`. */
  control?: RedisClient;
  clock: Clock;
  random: Random;
  /** Before each key. Default `DEFAULT_PREFIX`. */
  prefix?: string;
  /** When `enqueue` resolves. Default `memory`: when Redis has the jobs. */
  durability?: Durability;
  /** Default `CALL_TIMEOUT_MS`. */
  callTimeoutMs?: number;
  /** What is kept of each stream of each start of a job, bytes. Default `OUTPUT_CAP_BYTES`. */
  outputCapBytes?: number;
  /** Told of what is found damaged. Default: nobody. */
  logger?: Logger;
}

export const OUTPUT_CAP_BYTES = 256 * 1024;
const LOOK_AGAIN_MS = 10_000;

/** The store on Redis: one file per operation in `scripts/` and `reads/`; here they are only put together. */
export class RedisQueueStore implements QueueStore {
  readonly #redis: RedisClient;
  readonly #control: RedisClient;
  readonly #keys: QueueKeys;
  readonly #calls: PoolCalls;
  /** A client of its own, for what need not wait for the one under way. */
  readonly #beside: PoolCalls;
  readonly #random: Random;
  readonly #batches: Batches;
  readonly #idempotency: IdempotencyKeys;
  readonly #durable: DurableWrites;
  readonly #outputCapBytes: number;
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** Pools that were found in the list, and when to look again. */
  readonly #registered = new Map<string, number>();

  constructor(params: RedisQueueStoreParams) {
    this.#redis = params.redis;
    this.#control = params.control ?? params.redis;
    this.#keys = queueKeys(params.prefix);
    this.#random = params.random;
    this.#clock = params.clock;
    this.#calls = new PoolCalls({ ...params, keys: this.#keys });
    this.#beside = new PoolCalls({ ...params, keys: this.#keys });
    const own = { redis: this.#redis, control: this.#control, keys: this.#keys, calls: this.#calls };
    this.#batches = new Batches(own);
    this.#idempotency = new IdempotencyKeys(own);
    const durability = requireDurability(params.durability ?? 'memory');
    this.#durable = new DurableWrites({ redis: this.#redis, durability, clock: this.#clock });
    this.#outputCapBytes = params.outputCapBytes ?? OUTPUT_CAP_BYTES;
    this.#logger = params.logger ?? silentLogger;
  }

  get clientId(): string {
    return this.#calls.clientId;
  }

  // ---- submitting

  async enqueue(pool: string, jobs: readonly NewJob[], onSent?: () => void): Promise<EnqueueReply[]> {
    requireBatch('jobs', jobs);
    requireJobs(jobs);
    await this.#register(pool);
    return this.#next(pool).write(pool, enqueue, jobs, {
      resend: true,
      confirm: (send) =>
        this.#durable.run(() => {
          const answer = send();
          onSent?.();
          return answer;
        }),
    });
  }

  // ---- attempts

  async claim(pool: string, wants: readonly ClaimWant[]): Promise<ClaimReply> {
    requireBatch('wants', wants);
    return this.#next(pool).write(pool, claim, { claimId: this.#random.hex(8), wants }, { resend: false });
  }

  async settle(pool: string, ends: readonly Settlement[]): Promise<SettleVerdict[]> {
    requireBatch('ends', ends);
    return this.#next(pool).write(pool, settle, this.#toSettle(ends), { resend: true });
  }

  async turn(pool: string, ends: readonly Settlement[], wants: readonly ClaimWant[]): Promise<TurnReply> {
    requireBatch('ends', ends);
    requireBatch('wants', wants);
    const claims = { claimId: this.#random.hex(8), wants, most: MAX_TURN };
    return this.#next(pool).write(pool, turn, { ...this.#toSettle(ends), ...claims }, { resend: false });
  }

  async giveBack(pool: string, returns: readonly GiveBack[]): Promise<SettleVerdict[]> {
    requireBatch('returns', returns);
    return this.#calls.write(pool, giveBack, this.#withRandom(returns), { resend: true });
  }

  // ---- sessions

  async reconcile(pool: string, request: ReconcileRequest): Promise<ReconcileReply> {
    requireBatch('held', request.held);
    await this.#register(pool);
    return this.#calls.write(pool, reconcile, request, { resend: true });
  }

  reclaim(pool: string, request: ReclaimRequest): Promise<ReclaimReply> {
    return this.#calls.write(pool, reclaim, { ...request, random: this.#random.next() }, { resend: true });
  }

  beginRecovery(pool: string, sessions: readonly string[]): Promise<PoolRecovery | undefined> {
    return recoverPool(this.#calls, pool, sessions);
  }

  recovery(pool: string): Promise<PoolRecovery | undefined> {
    const what = `asking for the recovery of pool "${pool}"`;
    return this.#read(what, pool, (base) => recovery(this.#redis, { base }));
  }

  glance(pool: string): Promise<PoolGlance> {
    return this.#read(`looking at pool "${pool}"`, pool, (base) => glance(this.#redis, { base }));
  }

  gates(pool: string): Promise<Map<string, number>> {
    return this.#read(`reading the gates of pool "${pool}"`, pool, (base) => readGates(this.#redis, base));
  }

  owned(pool: string, sessions: readonly string[]): Promise<Map<string, Ulid[]>> {
    return this.#read(`reading what sessions own in pool "${pool}"`, pool, (base) =>
      readOwned(this.#redis, base, sessions),
    );
  }

  pendingOrders(pool: string, sessions: readonly string[]): Promise<PendingOrder[]> {
    return this.#read(`reading orders of pool "${pool}"`, pool, (base) =>
      readPendingOrders(this.#redis, base, sessions),
    );
  }

  // ---- duties

  promote(pool: string): Promise<PromoteReply> {
    return this.#calls.write(pool, promote, undefined, { resend: true });
  }

  trim(pool: string, limits: RetentionLimits): Promise<TrimReply> {
    return trimPool({ calls: this.#calls, batches: this.#batches }, pool, limits);
  }

  // ---- users

  async cancel(pool: string, ulids: readonly string[]): Promise<CancelVerdict[]> {
    requireBatch('ulids', ulids);
    return this.#calls.write(pool, cancel, { ulids }, { resend: true });
  }

  async retry(pool: string, ulids: readonly string[]): Promise<RetryVerdict[]> {
    requireBatch('ulids', ulids);
    return this.#calls.write(pool, retry, { ulids }, { resend: true });
  }

  async purge(pool: string, ulids: readonly string[]): Promise<PurgeVerdict[]> {
    requireBatch('ulids', ulids);
    return this.#calls.write(pool, purge, { ulids }, { resend: true });
  }

  // ---- output

  async appendOutput(pool: string, chunks: readonly OutputChunk[], writer?: OutputWriter): Promise<OutputVerdict[]> {
    requireBatch('chunks', chunks);
    return this.#calls.write(pool, appendOutput, { chunks, writer, capBytes: this.#outputCapBytes }, { resend: true });
  }

  readOutput(pool: string, ulid: string, attempt: number): Promise<StoredOutput | undefined> {
    return this.#read(`reading the output of ${pool}:${ulid}`, pool, (base) =>
      readOutput(this.#redis, base, ulid, attempt),
    );
  }

  outputEnds(pool: string, ulid: string, attempt: number): Promise<OutputEnds> {
    return this.#read(`reading the output of ${pool}:${ulid}`, pool, (base) =>
      readOutputEnds(this.#redis, base, ulid, attempt),
    );
  }

  // ---- reading

  getJobs(pool: string, ulids: readonly string[]): Promise<(Job | undefined)[]> {
    return this.#read(`reading jobs of pool "${pool}"`, pool, (base) => getJobs(this.#redis, base, pool, ulids));
  }

  async listJobs(filter: JobFilter, page: PageRequest): Promise<JobPage> {
    const names = filter.pool === undefined ? await this.pools() : [filter.pool];
    return listJobs({
      redis: this.#redis,
      pools: names.map((name) => ({ name, base: this.#keys.pool(name) })),
      filter,
      page,
      read: (what, ask) => this.#calls.read(what, ask),
      onCorrupt: (error) => this.#logger.warn('A job cannot be read and is left out of a list', { error }),
    });
  }

  counts(pool: string): Promise<Record<JobState, number>> {
    return this.#read(`counting the jobs of pool "${pool}"`, pool, (base) => counts(this.#redis, { base }));
  }

  async pools(): Promise<string[]> {
    const names = await this.#calls.read('reading the list of pools', () => this.#control.smembers(this.#keys.pools()));
    return names.sort();
  }

  async position(pool: string, ulid: string): Promise<number | undefined> {
    const what = `reading the place of ${pool}:${ulid}`;
    return (await this.#read(what, pool, (base) => this.#redis.zrank(`${base}queued`, ulid))) ?? undefined;
  }

  // ---- batches

  putBatch(batch: BatchRecord): Promise<void> {
    return this.#batches.put(batch);
  }

  sealBatch(batchId: string): Promise<void> {
    return this.#batches.seal(batchId);
  }

  getBatch(batchId: string): Promise<BatchStatus | undefined> {
    return this.#batches.get(batchId);
  }

  // ---- idempotency keys

  beginIdempotent(key: string, record: IdempotencyRecord): Promise<{ record: IdempotencyRecord; created: boolean }> {
    return this.#idempotency.begin(key, record);
  }

  finishIdempotent(key: string, answer: string): Promise<void> {
    return this.#idempotency.finish(key, answer);
  }

  #read<T>(what: string, pool: string, ask: (base: string) => Promise<T>): Promise<T> {
    return this.#calls.read(what, () => ask(this.#keys.pool(pool)));
  }

  #toSettle(ends: readonly Settlement[]): SettleParams {
    const told = ends.map((end) => (end.outcome === 'failed' ? { ...end, random: this.#random.next() } : end));
    return { ends: told, outputCapBytes: this.#outputCapBytes };
  }

  #withRandom<T extends object>(list: readonly T[]): WithRandom<T>[] {
    return list.map((one) => ({ ...one, random: this.#random.next() }));
  }

  /**
   * Before the first job or session of a pool: it is in the list of pools, so that whoever looks after them finds it.
   * Looked at again from time to time, without waiting for it: the list may have been in a lost tail.
   */
  async #register(pool: string): Promise<void> {
    const lookAgainAtMs = this.#registered.get(pool);
    if (lookAgainAtMs === undefined) {
      await this.#enterInList(pool);
    } else if (this.#clock.monotonicMs() >= lookAgainAtMs) {
      this.#noteRegistered(pool);
      this.#enterInList(pool).catch((error: unknown) => {
        this.#logger.debug('The list of pools could not be looked at; again soon', { pool, error });
      });
    }
  }

  /** It is looked for first, since a full Redis refuses even to add what is there. */
  async #enterInList(pool: string): Promise<void> {
    const list = this.#keys.pools();
    await this.#calls.read(`registering pool "${pool}"`, async () => {
      if ((await this.#control.sismember(list, pool)) === 0) {
        await this.#control.sadd(list, pool);
      }
    });
    this.#noteRegistered(pool);
  }

  /** Of the two clients the one with the shorter line: so calls go out in the order of asking, two at a time. */
  #next(pool: string): PoolCalls {
    return this.#beside.openCalls(pool) < this.#calls.openCalls(pool) ? this.#beside : this.#calls;
  }

  #noteRegistered(pool: string): void {
    this.#registered.set(pool, this.#clock.monotonicMs() + LOOK_AGAIN_MS);
  }
}
