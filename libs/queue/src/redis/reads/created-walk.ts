import type { RedisClient } from '@orchestrator/redis';

import { CorruptRecordError } from '../../errors.js';
import type { PagePosition } from './page-cursor.js';

/** A job as it stands in the order of creation. */
export interface CreatedJob extends PagePosition {
  ulid: string;
}

/** Asks the store, within a time limit. */
export type BoundedRead = <T>(what: string, ask: () => Promise<T>) => Promise<T>;

/**
 * So many jobs are worth one reading, and so many entries at most: an entry holds from one ULID (a single submission) to
 * 250 (of a batch), so how many to read is known after the first.
 */
const JOBS_READ = 250;
const MOST_ENTRIES_READ = 100;

interface PoolWalkParams {
  redis: RedisClient;
  read: BoundedRead;
  pool: string;
  base: string;
  after: PagePosition | undefined;
}

/** Walks one pool's `created` stream from new to old, some entries at a time. */
class PoolWalk {
  readonly #params: PoolWalkParams;
  readonly #key: string;
  /** The entry that the last page stopped in, when it is this pool's. */
  readonly #partial: PagePosition | undefined;
  #from: string | undefined;
  #size = 1;
  #ahead: CreatedJob[] = [];

  constructor(params: PoolWalkParams) {
    this.#params = params;
    this.#key = `${params.base}created`;
    this.#from = firstEntry(params.pool, params.after);
    this.#partial = params.after?.pool === params.pool ? params.after : undefined;
  }

  async peek(): Promise<CreatedJob | undefined> {
    while (this.#ahead.length === 0 && this.#from !== undefined) {
      const entries = await this.#read(this.#from);
      const last = entries.at(-1);
      this.#from = entries.length === this.#size && last ? `(${last[0]}` : undefined;
      this.#ahead = entries.flatMap((entry) => this.#jobs(entry)).reverse();
      const entriesWorthReading = Math.ceil((JOBS_READ * entries.length) / Math.max(1, this.#ahead.length));
      this.#size = Math.min(MOST_ENTRIES_READ, Math.max(1, entriesWorthReading));
    }
    return this.#ahead.at(-1);
  }

  take(): CreatedJob | undefined {
    return this.#ahead.pop();
  }

  #read(from: string): Promise<[id: string, fields: string[]][]> {
    const { redis, read } = this.#params;
    return read('reading the order of creation', () => redis.xrevrange(this.#key, from, '-', 'COUNT', this.#size));
  }

  /** The jobs of an entry from its last one, without those that earlier pages have looked at. */
  #jobs([id, fields]: [id: string, fields: string[]]): CreatedJob[] {
    const [ms = NaN, sequence = NaN] = id.split('-').map(Number);
    if (fields[0] !== 'u') {
      throw new CorruptRecordError(`${this.#key} has the entry ${id} with a field "${fields[0]}": expected "u"`);
    }
    const isPartial = this.#partial?.ms === ms && this.#partial.sequence === sequence;
    const end = isPartial ? this.#partial?.index : undefined;
    return (fields[1] ?? '')
      .split(' ')
      .map((ulid, index) => ({ ulid, pool: this.#params.pool, ms, sequence, index }))
      .slice(0, end)
      .reverse();
  }
}

/** Pools before the position's in the order of names are done with its millisecond, those behind it are not. */
function firstEntry(pool: string, after: PagePosition | undefined): string {
  if (!after) {
    return '+';
  }
  if (pool === after.pool) {
    return `${after.ms}-${after.sequence}`;
  }
  return pool < after.pool ? `(${after.ms}-0` : String(after.ms);
}

/** Merges several pools' jobs: newest entry first, by name of the pool within one millisecond. */
export class CreatedWalk {
  readonly #walks: PoolWalk[];

  constructor(params: {
    redis: RedisClient;
    read: BoundedRead;
    pools: readonly { name: string; base: string }[];
    after: PagePosition | undefined;
  }) {
    const pools = [...params.pools].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#walks = pools.map(({ name, base }) => new PoolWalk({ ...params, pool: name, base }));
  }

  /** Up to `count` jobs; fewer only at the end. */
  async next(count: number): Promise<CreatedJob[]> {
    const found: CreatedJob[] = [];
    while (found.length < count) {
      const heads = await Promise.all(this.#walks.map((walk) => walk.peek()));
      const newest = Math.max(...heads.map((head) => head?.ms ?? -1));
      const walk = this.#walks[heads.findIndex((head) => head?.ms === newest)];
      if (!walk) {
        break;
      }
      // One job after the other of one pool, as long as it stays the newest.
      for (let job = walk.take(); job; job = walk.take()) {
        found.push(job);
        if (found.length === count || (await walk.peek())?.ms !== newest) {
          break;
        }
      }
    }
    return found;
  }
}
