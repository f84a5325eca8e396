import {
  type Clock,
  createUlids,
  DEFAULT_POOL,
  InvalidValueError,
  type Job,
  type JobAddress,
  type JobId,
  type JobState,
  parseJobId,
  type Random,
  requirePoolName,
  systemClock,
  systemRandom,
  toJobId,
  type Ulid,
} from '@orchestrator/core';
import { createRedis, type RedisClient } from '@orchestrator/redis';
import { type Logger, silentLogger } from '@orchestrator/telemetry';
import type { Redis } from 'ioredis';

import { PartlyAddedError, QueueClosedError } from './errors.js';
import { type QueueJob, toNewJob } from './queue-job.js';
import { QueueNews } from './queue-news.js';
import type { Durability } from './redis/durability.js';
import { RedisQueueStore } from './redis/redis-queue-store.js';
import { type CancelVerdict, MAX_BATCH, type NewJob, type RetryVerdict } from './store.js';
import { waitUntilFinal } from './wait-until-final.js';

export interface QueueOptions {
  /** As in "redis://127.0.0.1:6379", or a connection of yours, which stays open. */
  redis: string | RedisClient;
  /** @default "default" */
  pool?: string;
  /** Before each key; that of the schedulers. @default "orc" */
  prefix?: string;
  /** When `add` resolves: "memory", "disk" or "replica:1". @default "memory": when Redis has executed it */
  durability?: Durability;
  logger?: Logger;
  clock?: Clock;
  random?: Random;
}

export interface WaitOptions {
  /** Default: no limit. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** A pool of jobs as the program that submits them sees it. Ids of other pools are understood, too. */
export class Queue implements AsyncDisposable {
  readonly pool: string;
  readonly #options: QueueOptions;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #redis: RedisClient;
  readonly #store: RedisQueueStore;
  readonly #newUlid: () => Ulid;
  readonly #closed = new AbortController();
  #news: { redis: RedisClient; news: QueueNews } | undefined;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.pool = requirePoolName(options.pool ?? DEFAULT_POOL);
    this.#logger = options.logger ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    const random = options.random ?? systemRandom;
    const { prefix, durability } = options;
    this.#redis = typeof options.redis === 'string' ? this.#connect(options.redis) : options.redis;
    this.#newUlid = createUlids({ clock: this.#clock, random });
    this.#store = new RedisQueueStore({
      redis: this.#redis,
      clock: this.#clock,
      random,
      logger: this.#logger,
      ...(prefix === undefined ? {} : { prefix }),
      ...(durability === undefined ? {} : { durability }),
    });
  }

  /**
   * Resolves when Redis has the job, at the durability that was asked for.
   * @throws {StoreUnavailableError} when that was not confirmed: it may have it
   * @throws {DurabilityUnknownError} it has the job, which will run, but maybe not at that durability
   */
  async add(name: string, job: QueueJob): Promise<JobId> {
    const [id] = await this.#write([toNewJob(this.#newUlid(), name, job)]);
    return id as JobId;
  }

  /** Checks all, then writes them in pieces. @throws {PartlyAddedError} when a piece after the first was not confirmed */
  async addBulk(jobs: readonly ({ name: string } & QueueJob)[]): Promise<JobId[]> {
    return this.#write(jobs.map(({ name, ...job }) => toNewJob(this.#newUlid(), name, job)));
  }

  async getJob(id: string): Promise<Job | undefined> {
    const { pool, ulid } = this.#address(id);
    return (await this.#store.getJobs(pool, [ulid]))[0];
  }

  /** `requested`: it runs, and its worker is being told. */
  async cancel(id: string): Promise<CancelVerdict> {
    const { pool, ulid } = this.#address(id);
    return (await this.#store.cancel(pool, [ulid]))[0] ?? 'not_found';
  }

  /** Queues a failed or cancelled job again, with a fresh allowance of attempts. */
  async retry(id: string): Promise<RetryVerdict> {
    const { pool, ulid } = this.#address(id);
    return (await this.#store.retry(pool, [ulid]))[0] ?? 'not_found';
  }

  async counts(): Promise<Record<JobState, number>> {
    this.#requireOpen();
    return this.#store.counts(this.pool);
  }

  /** @throws {WaitTimeoutError} {@link JobNotFoundError} {@link QueueClosedError}, or the signal's reason */
  async waitUntilFinal(id: string, options: WaitOptions = {}): Promise<Job> {
    const job = this.#address(id);
    const signals = [this.#closed.signal, ...(options.signal ? [options.signal] : [])];
    return waitUntilFinal({
      store: this.#store,
      news: this.#listen(),
      clock: this.#clock,
      job,
      signal: AbortSignal.any(signals),
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
  }

  /** Ends what waits and closes the connections that it made. */
  async close(): Promise<void> {
    this.#closed.abort(new QueueClosedError(`queue "${this.pool}" was closed`));
    this.#news?.news.close();
    this.#news?.redis.disconnect();
    this.#news = undefined;
    if (typeof this.#options.redis === 'string') {
      // What was sent is answered first; a Redis that does not answer is not waited for longer than a call.
      await (this.#redis.status === 'ready' ? this.#redis.quit().catch(() => undefined) : undefined);
      this.#redis.disconnect();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #write(jobs: readonly NewJob[]): Promise<JobId[]> {
    this.#requireOpen();
    const added: JobId[] = [];
    for (let i = 0; i < jobs.length; i += MAX_BATCH) {
      const piece = jobs.slice(i, i + MAX_BATCH);
      try {
        await this.#store.enqueue(this.pool, piece);
      } catch (error) {
        if (added.length === 0) {
          throw error;
        }
        const message = `only ${added.length} of ${jobs.length} jobs were added for certain`;
        throw new PartlyAddedError(message, { added, cause: error });
      }
      added.push(...piece.map(({ ulid }) => toJobId(this.pool, ulid)));
    }
    return added;
  }

  #address(id: string): JobAddress {
    this.#requireOpen();
    const address = parseJobId(id);
    if (!address) {
      throw new InvalidValueError('id', `id is "${id}": expected a pool, a colon and a ULID`);
    }
    return address;
  }

  #requireOpen(): void {
    this.#closed.signal.throwIfAborted();
  }

  #listen(): QueueNews {
    if (!this.#news) {
      const { redis: given, prefix } = this.#options;
      const redis = typeof given === 'string' ? this.#connect(given) : this.#duplicate(given);
      const news = new QueueNews({
        redis,
        clock: this.#clock,
        logger: this.#logger,
        ...(prefix === undefined ? {} : { prefix }),
      });
      this.#news = { redis, news };
    }
    return this.#news.news;
  }

  #connect(url: string): RedisClient {
    return createRedis({
      url,
      connectionName: `orchestrator-queue-${this.pool}`,
      onError: this.#onError,
    });
  }

  #duplicate(given: RedisClient): RedisClient {
    // Both kinds of clients have it, with other optional parameters.
    const redis = (given as Redis).duplicate();
    redis.on('error', this.#onError);
    return redis;
  }

  readonly #onError = (error: Error): void => {
    this.#logger.debug('A connection to Redis failed; it is made again', { error });
  };
}
