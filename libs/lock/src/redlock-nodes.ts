import { type Clock, InvalidValueError } from '@orchestrator/core';
import { TimeoutError, withTimeout } from '@orchestrator/lifecycle';
import type { RedisClient } from '@orchestrator/redis';
import { ExecutionError, type Lock as RedlockToken, Redlock, ResourceLockedError } from '@sesamecare-oss/redlock';

import { LockUnavailableError } from './errors.js';
import * as lua from './lua.js';

export interface RedlockNodesParams {
  nodes: readonly RedisClient[];
  ttlMs: number;
  callLimitMs: number;
  driftFactor: number;
  clock: Clock;
}

/** An even number can split its votes, and Redlock's promise would then never settle. */
const NODE_COUNTS: readonly number[] = [1, 3, 5];

/**
 * Redlock's vote over the nodes, with each of its traps closed: our own scripts (its own ones SELECT a database, and
 * are refused by a full Redis), no retries of its own, a limit on each call, its wall clock never believed.
 */
export class RedlockNodes {
  private readonly redlock: Redlock;
  private readonly quorum: number;

  constructor(private readonly params: RedlockNodesParams) {
    const { nodes, driftFactor } = params;
    if (!NODE_COUNTS.includes(nodes.length) || new Set(nodes).size !== nodes.length) {
      throw new InvalidValueError(
        'lock.nodes',
        `lock.nodes has ${new Set(nodes).size} connections: expected 1, 3 or 5 different, independent Redis nodes`,
      );
    }
    this.quorum = Math.floor(nodes.length / 2) + 1;
    for (const node of nodes) {
      // Redlock defines its own scripts on a client only where these names are not taken.
      node.defineCommand('acquireLock', { lua: lua.acquire });
      node.defineCommand('extendLock', { lua: lua.extend });
      node.defineCommand('releaseLock', { lua: lua.release });
    }
    this.redlock = new Redlock(nodes, { retryCount: 0, driftFactor });
  }

  /** Undefined when it is held by somebody else, or the votes were split. Rejects when no majority answered. */
  async acquire(key: string): Promise<RedlockToken | undefined> {
    await this.connect();
    const attempt = this.redlock.acquire([key], this.params.ttlMs, { retryCount: 0 });
    try {
      return await this.limited(`acquiring ${key}`, attempt);
    } catch (error) {
      if (error instanceof TimeoutError) {
        // Nobody will know of it when it succeeds later.
        void attempt.then((late) => this.release(late)).catch(() => undefined);
      }
      if (await this.majorityAnswered(error)) {
        return undefined;
      }
      throw new LockUnavailableError(key, error);
    }
  }

  /** False when a majority says that it is no longer ours. Rejects when no majority answered: try again. */
  async extend(token: RedlockToken): Promise<boolean> {
    // Redlock refuses by the wall clock what it takes for expired; our watchdog knows better, by a clock that cannot jump.
    token.expiration = Number.MAX_SAFE_INTEGER;
    try {
      await this.limited(
        `extending ${token.resources.join()}`,
        this.redlock.extend(token, this.params.ttlMs, { retryCount: 0 }),
      );
      return true;
    } catch (error) {
      if (await this.majorityAnswered(error)) {
        return false;
      }
      throw new LockUnavailableError(token.resources.join(), error);
    }
  }

  /** Rejects when no majority confirmed it. */
  async release(token: RedlockToken): Promise<void> {
    await this.limited(`releasing ${token.resources.join()}`, this.redlock.release(token, { retryCount: 0 }));
  }

  /** Connections made by `createRedis` are lazy and keep no queue: the first command would be refused. */
  private async connect(): Promise<void> {
    const fresh = this.params.nodes.filter((node) => node.status === 'wait');
    if (fresh.length > 0) {
      const connected = Promise.allSettled(fresh.map((node) => node.connect()));
      await this.limited('connecting', connected).catch(() => undefined);
    }
  }

  private limited<T>(what: string, call: Promise<T>): Promise<T> {
    return withTimeout(this.params.clock, this.params.callLimitMs, what, call);
  }

  /** Whether so many nodes voted (also with "somebody else holds it") that the outcome is an answer, not an outage. */
  private async majorityAnswered(error: unknown): Promise<boolean> {
    const attempt = error instanceof ExecutionError ? error.attempts[0] : undefined;
    if (attempt === undefined) {
      return false;
    }
    const stats = await this.limited('counting votes', attempt).catch(() => undefined);
    if (stats === undefined) {
      return false;
    }
    const refused = [...stats.votesAgainst.values()].filter((cause) => cause instanceof ResourceLockedError);
    return refused.length + stats.votesFor.size >= this.quorum;
  }
}
