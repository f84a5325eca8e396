import { JOB_STATES, type Random } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';
import type { Logger } from '@orchestrator/telemetry';

import { queueKeys, SCHEMA_VERSION } from '../keys.js';
import { MAX_BATCH } from '../store.js';
import { migrate } from './scripts/migrate.js';
import { replaceValue } from './scripts/replace-value.js';

export interface MigrateDataParams {
  redis: RedisClient;
  /** For what lies outside of the pools' slots. Default `redis`. */
  control?: RedisClient;
  prefix?: string;
  random: Random;
  logger: Logger;
}

/** The one before `SCHEMA_VERSION`: what is older is not understood here. */
export const MIGRATED_SCHEMA = '1';
/** Of a pool that is being migrated: nobody else writes there. */
const UNDER_WAY = '1-2';

/**
 * Brings the data of `MIGRATED_SCHEMA` to `SCHEMA_VERSION`, pool by pool, in steps of some milliseconds; the version of all
 * of them is written last. Meanwhile every pool refuses its writers. Several may do it at once, and what was cut short is
 * gone on with by calling it again.
 */
export async function migrateData(params: MigrateDataParams): Promise<void> {
  const { redis, control = redis, logger } = params;
  const keys = queueKeys(params.prefix);
  let jobs = 0;
  for (const pool of await control.smembers(keys.pools())) {
    jobs += await migratePool(params, keys.pool(pool));
  }
  await replaceValue(control, { key: keys.schema(), before: MIGRATED_SCHEMA, after: String(SCHEMA_VERSION) });
  logger.info('the data in Redis were brought to another schema', { from: MIGRATED_SCHEMA, to: SCHEMA_VERSION, jobs });
}

async function migratePool({ redis, random }: MigrateDataParams, base: string): Promise<number> {
  const clientId = random.hex(8);
  let number = 0;
  let jobs = 0;
  const step = async (from: string, to: string, ulids: readonly string[]): Promise<void> => {
    number += 1;
    jobs += await migrate.send(redis, { base, clientId, number }, { from, to, ulids });
  };
  const schema = await redis.hget(`${base}calls`, 'schema');
  if (schema === MIGRATED_SCHEMA) {
    await step(MIGRATED_SCHEMA, UNDER_WAY, []);
  } else if (schema !== UNDER_WAY) {
    return 0;
  }
  for (const state of JOB_STATES) {
    for (let from = 0; ; from += MAX_BATCH) {
      // Nothing moves meanwhile: places in an index stay what they are.
      const ulids = await redis.zrange(base + state, String(from), String(from + MAX_BATCH - 1));
      if (ulids.length > 0) {
        await step(UNDER_WAY, UNDER_WAY, ulids);
      }
      if (ulids.length < MAX_BATCH) {
        break;
      }
    }
  }
  await step(UNDER_WAY, String(SCHEMA_VERSION), []);
  return jobs;
}
