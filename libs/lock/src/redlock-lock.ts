import { type Clock, InvalidValueError, type Random, sleep } from '@orchestrator/core';
import type { RedisClient } from '@orchestrator/redis';
import type { Logger } from '@orchestrator/telemetry';

import { LockUnavailableError } from './errors.js';
import type { Lease, Lock } from './lock.js';
import { RedlockLease } from './redlock-lease.js';
import { RedlockNodes } from './redlock-nodes.js';

export interface RedlockLockParams {
  /** 1, 3 or 5 independent Redis servers: a connection to each, made by `createRedis` for this alone; not closed here. */
  nodes: readonly RedisClient[];
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Default "orc". */
  prefix?: string;
  /** A holder that died is followed after so long at most. Default `DEFAULT_LOCK_TTL_MS`. */
  ttlMs?: number;
  /** Between two tries of `acquire`, on average. Default `DEFAULT_LOCK_RETRY_MS`. */
  retryMs?: number;
}

export const DEFAULT_LOCK_TTL_MS = 6_000;
export const DEFAULT_LOCK_RETRY_MS = 1_000;
const MIN_TTL_MS = 300;
/** No call is waited for longer than this part of the ttl, nor is an extension put off for longer. */
const CALL_PART = 1 / 3;
/** Clocks of nodes run differently fast; Redlock's own figure. Redis' expiry is 1 ms coarse, ours rounded: 2 more. */
const DRIFT_FACTOR = 0.01;
const DRIFT_MS = 2;
/** A timer fires late, and whoever holds the lease needs a moment to stop. */
const MARGIN_PART = 1 / 10;
/** A lease that took so long to get that less than this part is left is not worth having. */
const USEFUL_PART = 1 / 2;

/** Where a lock lies on each node. */
export function lockKey(name: string, prefix = 'orc'): string {
  return `${prefix}:lock:${name}`;
}

/** A lock by majority over independent Redis nodes, with leases that extend and distrust themselves. */
export class RedlockLock implements Lock {
  private readonly nodes: RedlockNodes;
  private readonly ttlMs: number;
  private readonly trustMs: number;
  private readonly leases = new Set<RedlockLease>();
  private readonly closing = new AbortController();

  constructor(private readonly params: RedlockLockParams) {
    const { nodes, clock, ttlMs = DEFAULT_LOCK_TTL_MS } = params;
    if (!Number.isInteger(ttlMs) || ttlMs < MIN_TTL_MS) {
      throw new InvalidValueError('lock.ttl', `lock.ttl is ${ttlMs} ms: expected at least ${MIN_TTL_MS} whole ms`);
    }
    this.ttlMs = ttlMs;
    this.trustMs = ttlMs * (1 - DRIFT_FACTOR - MARGIN_PART) - DRIFT_MS;
    this.nodes = new RedlockNodes({ nodes, ttlMs, callLimitMs: ttlMs * CALL_PART, driftFactor: DRIFT_FACTOR, clock });
  }

  /** @throws {LockUnavailableError} when no majority of the nodes answered. */
  async tryAcquire(name: string): Promise<Lease | undefined> {
    if (this.closing.signal.aborted) {
      return undefined;
    }
    const { clock, logger, prefix } = this.params;
    const askedAtMs = clock.monotonicMs();
    const token = await this.nodes.acquire(lockKey(name, prefix));
    if (token === undefined) {
      return undefined;
    }
    const lease = new RedlockLease({
      name,
      token,
      nodes: this.nodes,
      askedAtMs,
      trustMs: this.trustMs,
      extendEveryMs: this.ttlMs * CALL_PART,
      retryMs: this.ttlMs * MARGIN_PART,
      clock,
      logger,
      onEnd: (ended) => this.leases.delete(ended),
    });
    this.leases.add(lease);
    if (lease.remainingMs() < this.ttlMs * USEFUL_PART || this.closing.signal.aborted) {
      await lease.release();
      return undefined;
    }
    return lease;
  }

  async acquire(name: string, signal: AbortSignal): Promise<Lease | undefined> {
    const { clock, random, logger, retryMs = DEFAULT_LOCK_RETRY_MS } = this.params;
    const given = AbortSignal.any([signal, this.closing.signal]);
    let reachable = true;
    while (!given.aborted) {
      try {
        const lease = await this.tryAcquire(name);
        reachable = true;
        if (lease !== undefined) {
          return await this.unlessGivenUp(lease, given);
        }
      } catch (error) {
        if (!(error instanceof LockUnavailableError)) {
          throw error;
        }
        if (reachable) {
          logger.warn('the nodes of a lock do not answer; trying again', { lock: name, error });
        }
        reachable = false;
      }
      await sleep(clock, retryMs * (0.5 + random.next()), given);
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.all([...this.leases].map((lease) => lease.release()));
  }

  private async unlessGivenUp(lease: Lease, given: AbortSignal): Promise<Lease | undefined> {
    if (!given.aborted) {
      return lease;
    }
    await lease.release();
    return undefined;
  }
}
