import type { NewsType } from '@orchestrator/queue';

/** One transition of a job, as the pool's channel tells it. It only hurries: everything is asked for again anyway. */
export interface PoolEvent {
  type: NewsType;
  ulid: string;
}

/** Where a scheduler hears that something has changed. */
export interface PoolNews {
  /** Only of entries that have an event of these types. Returns how to stop listening. */
  subscribe(
    pool: string,
    listener: (events: readonly PoolEvent[]) => void,
    types: readonly PoolEvent['type'][],
  ): () => void;
}
