import type { Clock } from '@orchestrator/core';
import { isSuspect, type RegistryLook, type SessionRecord, type SessionRegistry } from '@orchestrator/heartbeat';
import { withTimeout } from '@orchestrator/lifecycle';

import type { PoolCapacity } from './waiting.js';

export interface WorkerDirectoryParams {
  registry: Pick<SessionRegistry, 'look'>;
  clock: Clock;
  heartbeatIntervalMs: number;
}

/** How old a look may be that answers a request. */
const FRESH_MS = 1_000;
/** A submission that Redis has accepted is not held up for its `waiting`. */
const HINT_LIMIT_MS = 200;

interface Seen {
  look: RegistryLook;
  atMs: number;
  /** By pool, as far as somebody has asked. */
  capacities: Map<string, PoolCapacity>;
}

/** What the registry knows of workers, read at most once a second however many ask. */
export class WorkerDirectory {
  readonly #params: WorkerDirectoryParams;
  #last: Seen | undefined;
  #running: Promise<RegistryLook> | undefined;

  constructor(params: WorkerDirectoryParams) {
    this.#params = params;
  }

  /** A look no older than `maxAgeMs`. Rejects when Redis does not answer. */
  async look(maxAgeMs = FRESH_MS): Promise<RegistryLook> {
    const now = this.#params.clock.monotonicMs();
    if (this.#last !== undefined && now - this.#last.atMs < maxAgeMs) {
      return this.#last.look;
    }
    this.#running ??= this.#read(now).finally(() => (this.#running = undefined));
    return this.#running;
  }

  async capacity(pool: string): Promise<PoolCapacity> {
    return capacityOf(await this.look(), pool, this.#params.heartbeatIntervalMs);
  }

  /** What was known a moment ago, the same object as long as it is; undefined when that was too long ago. */
  freshCapacity(pool: string): PoolCapacity | undefined {
    const seen = this.#last;
    if (seen === undefined || this.#params.clock.monotonicMs() - seen.atMs >= FRESH_MS) {
      return undefined;
    }
    let capacity = seen.capacities.get(pool);
    if (capacity === undefined) {
      capacity = capacityOf(seen.look, pool, this.#params.heartbeatIntervalMs);
      seen.capacities.set(pool, capacity);
    }
    return capacity;
  }

  /** Never rejects and never takes long: what was known last, or undefined. */
  async capacityHint(pool: string): Promise<PoolCapacity | undefined> {
    try {
      return await withTimeout(this.#params.clock, HINT_LIMIT_MS, 'a look at the workers', this.capacity(pool));
    } catch {
      return this.#last && capacityOf(this.#last.look, pool, this.#params.heartbeatIntervalMs);
    }
  }

  isSuspect(record: SessionRecord, look: RegistryLook): boolean {
    return isSuspect(record, look.now, this.#params.heartbeatIntervalMs);
  }

  async #read(atMs: number): Promise<RegistryLook> {
    const look = await this.#params.registry.look();
    this.#last = { look, atMs, capacities: new Map() };
    return look;
  }
}

function capacityOf(look: RegistryLook, pool: string, intervalMs: number): PoolCapacity {
  const able = look.sessions.filter(
    (session) =>
      session.state === 'alive' &&
      !session.draining &&
      !session.wedged &&
      session.info.pools.includes(pool) &&
      !isSuspect(session, look.now, intervalMs),
  );
  return {
    workers: able.length,
    slots: sum(able.map((session) => session.info.slots)),
    freeSlots: sum(able.map((session) => session.freeSlots)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
