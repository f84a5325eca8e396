/** One transition of a job, as the pool's channel tells it. It only hurries: everything is asked for again anyway. */
export interface PoolEvent {
  type: string;
  ulid: string;
}

/** Where a scheduler hears that something has changed. */
export interface PoolNews {
  /** Returns how to stop listening. */
  subscribe(pool: string, listener: (events: readonly PoolEvent[]) => void): () => void;
}
