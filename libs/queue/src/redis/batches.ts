import { isFinal, JOB_STATES, type JobState } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';

import type { QueueKeys } from '../keys.js';
import type { BatchRecord, BatchStatus } from '../store.js';
import type { PoolCalls } from './pool-calls.js';
import { recordFields } from './reads/record-fields.js';
import { sealBatch } from './scripts/seal-batch.js';

export interface BatchesParams {
  /** For the pools' slots. */
  redis: RedisClient;
  /** For the batches' own slots. */
  control: RedisClient;
  keys: QueueKeys;
  calls: PoolCalls;
}

/** How long a batch that was never sealed is still known after its last job was removed: as long as it can be completed. */
export const UNSEALED_KEPT_MS = 24 * 3_600_000;

/** Pools of a batch that are asked at once whether they have any job of it. */
const ASKED_AT_ONCE = 20;
/** Its multiples lie evenly between whole numbers, however many there are. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;
/** Batches of which a pool is remembered. */
const MAX_KEEPERS = 10_000;

/** Batches: a record in a slot of its own, and counts in each pool that has jobs of it. All calls may be repeated. */
export class Batches {
  /** By batch: a pool that had jobs of it at the last look, and is asked first at the next one. */
  readonly #keepers = new Map<string, string>();
  #searches = 0;

  constructor(private readonly params: BatchesParams) {}

  async put({ batchId, name, total, pools }: BatchRecord): Promise<void> {
    const key = this.params.keys.batch(batchId);
    const fields = { name: name ?? '', total: String(total), pools: JSON.stringify(pools) };
    await this.#call(`writing batch "${batchId}"`, () => this.params.control.hset(key, fields));
  }

  async seal(batchId: string): Promise<void> {
    const key = this.params.keys.batch(batchId);
    await this.#call(`sealing batch "${batchId}"`, () => sealBatch(this.params.control, { key }));
  }

  async get(batchId: string): Promise<BatchStatus | undefined> {
    const record = await this.#record(batchId);
    if (!record) {
      return undefined;
    }
    const counts = Object.fromEntries(JOB_STATES.map((state) => [state, 0])) as Record<JobState, number>;
    for (const hash of await Promise.all(record.pools.map((pool) => this.#counted(pool, batchId)))) {
      for (const state of JOB_STATES) {
        counts[state] += hash.count(state);
      }
    }
    const written = JOB_STATES.reduce((sum, state) => sum + counts[state], 0);
    const waiting = JOB_STATES.some((state) => !isFinal(state) && counts[state] > 0);
    return { batchId, ...record, counts, done: written > 0 && !waiting };
  }

  /**
   * Of batches of which some pool has no job left: removes the record of those of which no pool has any. Answers which
   * have no record (any more): what a pool counted for them can go.
   */
  async removeEmptied(batchIds: readonly string[]): Promise<string[]> {
    const gone = await Promise.all(batchIds.map(async (id) => ((await this.#removeIfEmptied(id)) ? [id] : [])));
    return gone.flat();
  }

  async #removeIfEmptied(batchId: string): Promise<boolean> {
    const { control, keys } = this.params;
    const keeper = this.#keepers.get(batchId);
    if (keeper !== undefined && (await this.#keeps(keeper, batchId))) {
      return false;
    }
    this.#keepers.delete(batchId);
    const record = await this.#record(batchId);
    if (!record) {
      return true;
    }
    const next = await this.#findKeeper(record.pools, batchId);
    if (next !== undefined) {
      this.#remember(batchId, next);
      return false;
    }
    const what = `removing batch "${batchId}"`;
    if (record.sealed) {
      await this.#call(what, () => control.unlink(keys.batch(batchId)));
    } else {
      await this.#call(what, () => control.pexpire(keys.batch(batchId), UNSEALED_KEPT_MS, 'NX'));
    }
    return record.sealed;
  }

  /**
   * One is enough: each of hundreds of pools asks when it has lost its last job, and each time all of them would answer. Begins
   * somewhere else each time, since pools lose their jobs in some order: what is found then lasts for half of those that are left.
   */
  async #findKeeper(pools: readonly string[], batchId: string): Promise<string | undefined> {
    this.#searches += 1;
    const start = Math.floor(((this.#searches * GOLDEN_RATIO) % 1) * pools.length);
    const inTurn = [...pools.slice(start), ...pools.slice(0, start)];
    for (let from = 0; from < inTurn.length; from += ASKED_AT_ONCE) {
      const asked = inTurn.slice(from, from + ASKED_AT_ONCE);
      const keep = await Promise.all(asked.map((pool) => this.#keeps(pool, batchId)));
      const found = asked.find((_pool, index) => keep[index]);
      if (found !== undefined) {
        return found;
      }
    }
    return undefined;
  }

  #remember(batchId: string, pool: string): void {
    if (this.#keepers.size >= MAX_KEEPERS) {
      this.#keepers.clear();
    }
    this.#keepers.set(batchId, pool);
  }

  async #keeps(pool: string, batchId: string): Promise<boolean> {
    return (await this.#counted(pool, batchId)).count('kept') > 0;
  }

  async #record(batchId: string): Promise<Omit<BatchRecord & BatchStatus, 'batchId' | 'counts' | 'done'> | undefined> {
    const key = this.params.keys.batch(batchId);
    const hash = await this.#call(`reading batch "${batchId}"`, () => this.params.control.hgetall(key));
    if (Object.keys(hash).length === 0) {
      return undefined;
    }
    const fields = recordFields(`batch ${batchId}`, hash);
    return {
      name: fields.text('name') ?? undefined,
      total: fields.count('total'),
      pools: fields.json<string[]>('pools') ?? [],
      sealed: fields.text('sealed') === '1',
    };
  }

  async #counted(pool: string, batchId: string): Promise<ReturnType<typeof recordFields>> {
    const key = `${this.params.keys.pool(pool)}b:${batchId}`;
    const hash = await this.#call(`counting batch "${batchId}"`, () => this.params.redis.hgetall(key));
    return recordFields(`batch ${batchId} in pool ${pool}`, hash);
  }

  #call<T>(what: string, ask: () => Promise<T>): Promise<T> {
    return this.params.calls.read(what, ask);
  }
}
