import { createHash } from 'node:crypto';

import type { RedisClient } from '@orchestrator/redis';

import { CorruptRecordError, StoreUnavailableError } from '../errors.js';
import type { QueueKeys } from '../keys.js';
import type { IdempotencyRecord } from '../store.js';
import type { PoolCalls } from './pool-calls.js';
import { parseObject } from './reads/record-fields.js';
import { replaceValue } from './scripts/replace-value.js';

export interface IdempotencyKeysParams {
  control: RedisClient;
  keys: QueueKeys;
  calls: PoolCalls;
  /** Default `IDEMPOTENCY_KEPT_MS`. */
  keptMs?: number;
}

export const IDEMPOTENCY_KEPT_MS = 24 * 3_600_000;
const MAX_ROUNDS = 5;

/** One record per key, written before anything else of a request and completed with its first answer. */
export class IdempotencyKeys {
  constructor(private readonly params: IdempotencyKeysParams) {}

  /** Also `created` when an earlier sending of this very record is found: its answer was lost. */
  async begin(key: string, record: IdempotencyRecord): Promise<{ record: IdempotencyRecord; created: boolean }> {
    const { control, calls, keptMs = IDEMPOTENCY_KEPT_MS } = this.params;
    const name = this.#name(key);
    const json = JSON.stringify(record);
    const standing = await calls.read('writing an idempotency key', () =>
      control.set(name, json, 'PX', keptMs, 'NX', 'GET'),
    );
    return standing === null || standing === json
      ? { record, created: true }
      : { record: parseRecord(name, standing), created: false };
  }

  /** The first answer stands. Does nothing once the key has expired. */
  async finish(key: string, answer: string): Promise<void> {
    const { control, calls } = this.params;
    const name = this.#name(key);
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const before = await calls.read('reading an idempotency key', () => control.get(name));
      const record = before === null ? undefined : parseRecord(name, before);
      if (before === null || record?.answer !== undefined) {
        return;
      }
      const after = JSON.stringify({ ...record, answer });
      if (
        await calls.read('completing an idempotency key', () => replaceValue(control, { key: name, before, after }))
      ) {
        return;
      }
    }
    throw new StoreUnavailableError('an idempotency key was not completed: others change it all the time', {
      mayHaveExecuted: false,
    });
  }

  /** Users choose keys freely; only their hash becomes part of a name. */
  #name(key: string): string {
    return this.params.keys.idempotency(createHash('sha256').update(key).digest('hex'));
  }
}

function parseRecord(name: string, json: string): IdempotencyRecord {
  const record = parseObject(json) as Partial<IdempotencyRecord> | undefined;
  if (typeof record?.bodyHash !== 'string' || !Array.isArray(record.ids)) {
    throw new CorruptRecordError(`${name} holds "${json.slice(0, 60)}": expected the record of an idempotency key`);
  }
  return record as IdempotencyRecord;
}
