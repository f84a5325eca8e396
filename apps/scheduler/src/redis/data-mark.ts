import type { Random } from '@orchestrator/core';
import { queueKeys } from '@orchestrator/queue';
import { defineScript, type RedisClient } from '@orchestrator/redis';
import type { Logger } from '@orchestrator/telemetry';

export interface DataMarkParams {
  redis: RedisClient;
  prefix: string;
  random: Random;
  logger: Logger;
}

const MARK_BYTES = 8;

/** It writes nothing, but without `no-writes` Redis refuses it wherever it would refuse a write; a full one does not. */
const readMark = defineScript({
  name: 'read-mark',
  lua: "#!lua flags=allow-oom\nreturn redis.call('GET', KEYS[1])",
  keys: (key: string) => [key],
  args: () => [],
  reply: (raw) => (raw === null ? undefined : (raw as string)),
});

/**
 * A name for the data in Redis, by which a scheduler notices that they are no longer those that it worked with. Gone on
 * a server that has run all the time: somebody has deleted them (FLUSHALL). That is said until a scheduler is started
 * anew. Gone with the server's process: it keeps nothing, or lost it; that is said once, and work goes on.
 */
export class DataMark {
  readonly #params: DataMarkParams;
  readonly #key: string;
  #known: { mark: string; server: string } | undefined;
  #isDeleted = false;

  constructor(params: DataMarkParams) {
    this.#params = params;
    this.#key = queueKeys(params.prefix).mark();
  }

  /** Answers whether the data were deleted. Rejects as a writing script does: when Redis does not take writes. */
  async isDeleted(): Promise<boolean> {
    const { redis, logger } = this.#params;
    const server = /^run_id:(\w+)/m.exec(await redis.info('server'))?.[1] ?? '';
    const mark = await readMark(redis, this.#key);
    const before = this.#known;
    if (mark === undefined && before?.server === server) {
      if (!this.#isDeleted) {
        logger.error(
          'all data in Redis were deleted (FLUSHALL?): restore them, or start a scheduler anew to go on without',
          {
            key: this.#key,
          },
        );
      }
      this.#isDeleted = true;
      return true;
    }
    const now = mark ?? (await this.#write());
    if (before !== undefined && before.mark !== now) {
      logger.error('Redis has lost the data that it had: jobs that were not finished are gone', {
        restarted: before.server !== server,
      });
    }
    this.#known = { mark: now, server };
    this.#isDeleted = false;
    return false;
  }

  async #write(): Promise<string> {
    const { redis, random } = this.#params;
    const own = random.hex(MARK_BYTES);
    return (await redis.set(this.#key, own, 'NX', 'GET')) ?? own;
  }
}
