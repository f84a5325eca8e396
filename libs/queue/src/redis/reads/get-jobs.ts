import { type Job, toJobId } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';

import { CorruptRecordError } from '../../errors.js';
import { parseJob } from './job-record.js';
import { pipelined } from './pipelined.js';
import { type JobFields, parseRecord } from './record-text.js';

type Texts = (string | null)[];

/**
 * Reads whole jobs, in the order asked for; undefined for what is not there.
 * @throws {CorruptRecordError} when one cannot be read
 */
export async function getJobs(
  redis: RedisClient,
  base: string,
  pool: string,
  ulids: readonly string[],
): Promise<(Job | undefined)[]> {
  if (ulids.length === 0) {
    return [];
  }
  // Not a transaction, which a full Redis refuses. The record first: what it says has its end beside it by then.
  const [records, specs, ends, ...histories] = (await pipelined(redis, (pipeline) => {
    pipeline
      .hmget(`${base}jobs`, ...ulids)
      .hmget(`${base}specs`, ...ulids)
      .hmget(`${base}ends`, ...ulids);
    ulids.forEach((ulid) => pipeline.lrange(`${base}h:${ulid}`, 0, -1));
  })) as [Texts, Texts, Texts, ...string[][]];
  return ulids.map((ulid, i) => {
    const [record, spec, end] = [records[i], specs[i] ?? '', ends[i] ?? ''];
    return record
      ? parseJob({ pool, ulid }, toFields({ pool, ulid }, record, spec, end), histories[i] ?? [])
      : undefined;
  });
}

function toFields(
  { pool, ulid }: { pool: string; ulid: string },
  record: string,
  spec: string,
  end: string,
): JobFields {
  const fields = parseRecord(record);
  if (fields === undefined) {
    throw new CorruptRecordError(
      `job ${toJobId(pool, ulid)} has the record ${JSON.stringify(record.slice(0, 60))}: ` +
        'expected a line "place created queued|name=value ...|rule" and at most two more',
    );
  }
  return end === '' ? { ...fields, spec } : { ...fields, spec, end };
}
