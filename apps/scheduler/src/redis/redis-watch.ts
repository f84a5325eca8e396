import type { Clock, Random } from '@orchestrator/core';
import { createDeferred, PeriodicService, type Service, withTimeout } from '@orchestrator/lifecycle';
import { type Durability, MIGRATED_SCHEMA, readDurabilityFacts, SCHEMA_VERSION } from '@orchestrator/queue';
import { replyCode } from '@orchestrator/redis';
import type { Logger } from '@orchestrator/telemetry';
import type { Redis } from 'ioredis';

import { DataMark } from './data-mark.js';
import { inspectServer } from './inspect-server.js';

export interface RedisWatchParams {
  /** The connection that is looked at. */
  redis: Redis;
  /** Why no connection comes about, where that is known. */
  whyNot?: () => string | undefined;
  /** For log lines, credentials masked. */
  address: string;
  prefix: string;
  durability: Durability;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Brings data of the schema before to the one of today. */
  migrate: () => Promise<void>;
}

export interface RedisHealth {
  answers: boolean;
  /** Why submissions cannot be accepted. */
  trouble?: string;
}

/** With a margin to the second within which /readyz answers. */
const LOOK_LIMIT_MS = 800;
const LOOK_EVERY_MS = 5_000;
/** A Redis that hangs keeps no scheduler from starting. */
const FIRST_LOOK_LIMIT_MS = 1_000;
export const EXIT_UNUSABLE_REDIS = 2;

/** What Redis answers to a write that it does not take. OOM is none of them: only submissions are refused then. */
const REFUSALS: Readonly<Record<string, string>> = {
  READONLY: 'Redis is a read-only replica',
  MASTERDOWN: 'Redis is a replica without its master',
  NOREPLICAS: 'Redis takes no writes without its replicas (min-replicas-to-write)',
  MISCONF: 'Redis cannot write to its disk',
  LOADING: 'Redis reads its data from the disk',
  BUSY: 'Redis is busy with a script',
};

/**
 * Says when Redis is there and when it is not, once each time, and looks at each server it finds: one that is too old,
 * or that cannot keep the durability, is refused at the start, and data of another schema at any time; settings that would
 * lose jobs are warned of.
 */
export class RedisWatch implements Service {
  readonly name = 'redis watch';
  readonly #params: RedisWatchParams;
  readonly #mark: DataMark;
  readonly #regular: PeriodicService;
  readonly #unusable = createDeferred<number>();
  #state: 'unknown' | 'reachable' | 'unreachable' = 'unknown';
  #wasGood = false;
  #isUnusable = false;
  #durabilityProblem: string | undefined;
  #lastTrouble: string | undefined;
  #told = new Set<string>();
  #looking: Promise<RedisHealth> | undefined;
  #inspecting: Promise<void> = Promise.resolve();
  /** Under way. */
  #migrating: Promise<void> | undefined;
  readonly #stopped = createDeferred();

  constructor(params: RedisWatchParams) {
    this.#params = params;
    this.#mark = new DataMark(params);
    const run = async (): Promise<void> => {
      if (params.redis.status === 'ready') {
        await this.#readDurability();
        await this.health();
      }
    };
    this.#regular = new PeriodicService({ ...params, name: 'look at Redis', intervalMs: LOOK_EVERY_MS, run });
  }

  /** Resolves with an exit code when this Redis cannot be used at all. */
  get unusable(): Promise<number> {
    return this.#unusable.promise;
  }

  /**
   * Resolves when what is there has been looked at, a second later at most; at once where nothing is there. Data of the schema
   * before have been migrated by then. Where it is unusable, nothing is to be started on it: resolves when this stops.
   */
  async firstLook(): Promise<void> {
    const { clock, redis } = this.#params;
    await withTimeout(clock, FIRST_LOOK_LIMIT_MS, 'the first look at Redis', this.#inspecting).catch(() => undefined);
    if (redis.status !== 'ready') {
      this.#onClose(); // where no Sentinel answers there never was a connection that could have been closed
    }
    // As long as it takes: nobody else can work on them meanwhile either.
    await this.#migrating;
    if (this.#isUnusable) {
      await this.#stopped.promise;
    }
  }

  async start(): Promise<void> {
    const { redis } = this.#params;
    redis.on('ready', this.#onReady);
    redis.on('close', this.#onClose);
    await this.#regular.start();
  }

  async stop(): Promise<void> {
    const { redis } = this.#params;
    this.#stopped.resolve();
    redis.off('ready', this.#onReady);
    redis.off('close', this.#onClose);
    await this.#regular.stop();
  }

  /** Whether it answers now. Never rejects, takes a second at most. */
  async answers(): Promise<boolean> {
    return (await this.health()).answers;
  }

  /** How it is now. Never rejects, takes a second at most. Who asks at the same time gets the same answer. */
  health(): Promise<RedisHealth> {
    this.#looking ??= this.#lookAndTell().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #lookAndTell(): Promise<RedisHealth> {
    const health = await this.#look();
    if (health.answers && health.trouble !== this.#lastTrouble) {
      this.#lastTrouble = health.trouble;
      const { logger, address } = this.#params;
      if (health.trouble === undefined) {
        logger.info('Redis takes submissions again', { redis: address });
      } else {
        logger.error('submissions are not safe: /readyz answers 503', { redis: address, reason: health.trouble });
      }
    }
    return health;
  }

  async #look(): Promise<RedisHealth> {
    const { redis, clock } = this.#params;
    if (redis.status !== 'ready') {
      return { answers: false, trouble: this.#params.whyNot?.() ?? 'Redis does not answer' };
    }
    try {
      const { isDeleted, schema } = await withTimeout(clock, LOOK_LIMIT_MS, 'looking at Redis', this.#mark.look());
      const trouble = isDeleted
        ? 'all data in Redis were deleted'
        : (this.#checkSchema(schema) ?? this.#durabilityProblem);
      return { answers: true, ...(trouble === undefined ? {} : { trouble }) };
    } catch (error) {
      const code = replyCode(error);
      if (code === undefined) {
        return { answers: false, trouble: 'Redis does not answer' };
      }
      // A full one has no room for the mark either.
      return code === 'OOM' ? { answers: true } : { answers: true, trouble: REFUSALS[code] ?? `Redis answers ${code}` };
    }
  }

  /** Data of another schema are not touched: what was written there is not understood here. */
  #checkSchema(schema: string | undefined): string | undefined {
    if (schema === undefined || schema === String(SCHEMA_VERSION)) {
      return undefined;
    }
    if (schema === MIGRATED_SCHEMA) {
      this.#migrating ??= this.#migrate().finally(() => (this.#migrating = undefined));
      return `the data in Redis are brought from schema ${schema} to ${SCHEMA_VERSION}`;
    }
    const trouble = `the data in Redis have schema ${schema}, this scheduler knows ${SCHEMA_VERSION}`;
    if (!this.#isUnusable) {
      const { logger, address, prefix } = this.#params;
      logger.error(`${trouble}: start the version of the scheduler that wrote them, or use another redis.prefix`, {
        redis: address,
        prefix,
        schema,
        known: SCHEMA_VERSION,
      });
      this.#giveUp();
    }
    return trouble;
  }

  /** What was cut short is gone on with at the next look. */
  async #migrate(): Promise<void> {
    const { logger, migrate, address } = this.#params;
    await migrate().catch((error: unknown) => {
      logger.error('the data in Redis could not be brought to another schema; again soon', { redis: address, error });
    });
  }

  #giveUp(): void {
    this.#isUnusable = true;
    this.#unusable.resolve(EXIT_UNUSABLE_REDIS);
  }

  readonly #onReady = (): void => {
    const { logger, address } = this.#params;
    if (this.#state === 'unreachable') {
      logger.info('Redis is back', { redis: address });
    }
    this.#state = 'reachable';
    this.#inspecting = this.#inspect();
  };

  readonly #onClose = (): void => {
    const { logger, address } = this.#params;
    if (this.#state !== 'unreachable') {
      logger.warn('Redis cannot be reached: submissions are answered 503, it is tried again and again', {
        redis: address,
      });
    }
    this.#state = 'unreachable';
  };

  async #inspect(): Promise<void> {
    const { redis, logger, address } = this.#params;
    try {
      const { product, version, tooOld, warnings } = await inspectServer(redis);
      if (tooOld !== undefined) {
        logger.error('this Redis is too old', { redis: address, product, version, expected: tooOld });
        this.#giveUp();
        return;
      }
      this.#tellOnce('Redis is reachable', `${product} ${version}`, () =>
        logger.info('Redis is reachable', { redis: address, product, version }),
      );
      this.#warn(warnings);
      await this.#readDurability();
      await this.health();
    } catch (error) {
      logger.debug('Redis could not be inspected', { error });
    }
  }

  /** Of the first server, a wrong setting is a wrong configuration. Later on it is an outage. */
  async #readDurability(): Promise<void> {
    const { redis, durability, logger, address } = this.#params;
    const { problem, warnings } = await readDurabilityFacts(redis, durability);
    if (problem !== undefined && !this.#wasGood) {
      logger.error('this Redis cannot keep the durability', { redis: address, durability, problem });
      this.#giveUp();
    }
    this.#wasGood ||= problem === undefined;
    this.#durabilityProblem =
      problem === undefined ? undefined : `durability ${durability} cannot be reached: ${problem}`;
    this.#warn(warnings);
  }

  #warn(warnings: readonly string[]): void {
    for (const warning of warnings) {
      this.#tellOnce('warning', warning, () =>
        this.#params.logger.warn('Redis is not set up for jobs to be safe', { warning }),
      );
    }
  }

  #tellOnce(kind: string, what: string, tell: () => void): void {
    const key = `${kind}: ${what}`;
    if (!this.#told.has(key)) {
      this.#told.add(key);
      tell();
    }
  }
}
