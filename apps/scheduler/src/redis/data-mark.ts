import type { Random } from '@orchestrator/core';
import { queueKeys, SCHEMA_VERSION } from '@orchestrator/queue';
import { defineScript, type RedisClient } from '@orchestrator/redis';
import type { Logger } from '@orchestrator/telemetry';

export interface DataMarkParams {
  redis: RedisClient;
  prefix: string;
  random: Random;
  logger: Logger;
}

/** What a look at the data found. */
export interface DataFacts {
  /** Somebody has deleted them while the server went on running. */
  isDeleted: boolean;
  /** Of these data, as it is stored; undefined where they were deleted. */
  schema: string | undefined;
}

interface Marks {
  mark: string | undefined;
  schema: string | undefined;
}

const MARK_BYTES = 8;

/**
 * Data with a mark and without a schema are from before there was one: version 1 of it. Without `no-writes` Redis refuses
 * it wherever it would refuse a write; a full one does not.
 */
const readMarks = defineScript({
  name: 'read-marks',
  lua: `#!lua flags=allow-oom
local found = redis.call('MGET', KEYS[1], KEYS[2])
if found[1] and not found[2] then
  redis.call('SET', KEYS[2], ARGV[1])
  found[2] = ARGV[1]
end
return found`,
  keys: ({ mark, schema }: { mark: string; schema: string }) => [mark, schema],
  args: () => ['1'],
  reply: (raw): Marks => {
    const [mark, schema] = raw as [string | null, string | null];
    return { mark: mark ?? undefined, schema: schema ?? undefined };
  },
});

/**
 * A name for the data in Redis, by which a scheduler notices that they are no longer those that it worked with, and the
 * version of their schema beside it. Gone on a server that has run all the time: somebody has deleted them (FLUSHALL).
 * That is said until a scheduler is started anew. Gone with the server's process: it keeps nothing, or lost it; that is
 * said once, and work goes on.
 */
export class DataMark {
  readonly #params: DataMarkParams;
  readonly #keys: { mark: string; schema: string };
  #known: { mark: string; server: string } | undefined;
  #isDeleted = false;

  constructor(params: DataMarkParams) {
    this.#params = params;
    const keys = queueKeys(params.prefix);
    this.#keys = { mark: keys.mark(), schema: keys.schema() };
  }

  /** Writes what nobody has written yet. Rejects as a writing script does: when Redis does not take writes. */
  async look(): Promise<DataFacts> {
    const { redis, logger } = this.#params;
    // Both at once: a slow server is asked within the second that /readyz has.
    const [info, { mark, schema }] = await Promise.all([redis.info('server'), readMarks(redis, this.#keys)]);
    const server = /^run_id:(\w+)/m.exec(info)?.[1] ?? '';
    const before = this.#known;
    if (mark === undefined && before?.server === server) {
      if (!this.#isDeleted) {
        logger.error(
          'all data in Redis were deleted (FLUSHALL?): restore them, or start a scheduler anew to go on without',
          {
            key: this.#keys.mark,
          },
        );
      }
      this.#isDeleted = true;
      return { isDeleted: true, schema };
    }
    const now = mark ?? (await this.#write());
    if (before !== undefined && before.mark !== now) {
      logger.error('Redis has lost the data that it had: jobs that were not finished are gone', {
        restarted: before.server !== server,
      });
    }
    this.#known = { mark: now, server };
    this.#isDeleted = false;
    return { isDeleted: false, schema: schema ?? (await redis.get(this.#keys.schema)) ?? undefined };
  }

  /** The schema first: data with a mark have one. Another scheduler may do the same at this moment, in another version. */
  async #write(): Promise<string> {
    const { redis, random } = this.#params;
    const own = random.hex(MARK_BYTES);
    await redis.set(this.#keys.schema, SCHEMA_VERSION, 'NX');
    return (await redis.set(this.#keys.mark, own, 'NX', 'GET')) ?? own;
  }
}
