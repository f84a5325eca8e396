/**
 * A lease on a name, over one, three or five independent Redis nodes. It is a hint for who should lead, not a proof:
 * what protects data is the term that the leader mints and that scripts check.
 */
export interface Lock {
  /** One try, no waiting. Undefined when somebody else holds it, or too little validity is left after acquiring it. */
  tryAcquire(name: string): Promise<Lease | undefined>;
  /** Tries again with jitter until it has it or the signal aborts (then undefined). */
  acquire(name: string, signal: AbortSignal): Promise<Lease | undefined>;
  close(): Promise<void>;
}

export interface Lease {
  readonly name: string;
  /** The owner's token; renewing and releasing compare it. */
  readonly token: string;
  /** Aborted as soon as the lease cannot be trusted any more, by the holder's own monotonic clock, whatever Redis does. */
  readonly signal: AbortSignal;
  /** Milliseconds for which it can still be trusted. */
  remainingMs(): number;
  /** Gives it back. Never throws, never waits longer than a call's limit. */
  release(): Promise<void>;
}
