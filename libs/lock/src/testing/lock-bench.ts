import { type Clock, systemClock, systemRandom } from '@orchestrator/core';
import { createRedis } from '@orchestrator/redis';
import { silentLogger } from '@orchestrator/telemetry';
import { startRedis, type TestRedis, type TestRedisOptions } from '@orchestrator/testing';

import { RedlockLock } from '../redlock-lock.js';

/** Short, so that tests see a lease end; long enough for a busy machine. */
export const TTL_MS = 900;

/** Some real Redis nodes and locks over them; each lock has connections of its own, as each process has. */
export interface LockBench {
  servers: TestRedis[];
  newLock(over?: { clock?: Clock; urlSuffix?: string }): RedlockLock;
  /** What lies under a key on each node. */
  holders(key: string): Promise<(string | null)[]>;
  remove(key: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startLockBench(nodes: number, options: TestRedisOptions = {}): Promise<LockBench> {
  const servers = await Promise.all(Array.from({ length: nodes }, () => startRedis(options)));
  const probes = servers.map((server) => server.client());
  const locks: RedlockLock[] = [];
  const connections: ReturnType<typeof createRedis>[] = [];
  return {
    servers,
    newLock(over = {}) {
      const own = servers.map(({ url }) =>
        createRedis({ url: url + (over.urlSuffix ?? ''), connectionName: 'lock', onError: () => undefined }),
      );
      connections.push(...own);
      const lock = new RedlockLock({
        nodes: own,
        clock: over.clock ?? systemClock,
        random: systemRandom,
        logger: silentLogger,
        ttlMs: TTL_MS,
        retryMs: 50,
      });
      locks.push(lock);
      return lock;
    },
    holders: (key) => Promise.all(probes.map((probe) => probe.get(key).catch(() => null))),
    async remove(key) {
      await Promise.all(probes.map((probe) => probe.del(key)));
    },
    async stop() {
      await Promise.all(locks.map((lock) => lock.close()));
      for (const connection of connections) {
        connection.disconnect();
      }
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** Resolves when the signal aborts; rejects when it has not within the bound. */
export function abortWithin(signal: AbortSignal, boundMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const timer = setTimeout(() => reject(new Error(`not aborted within ${boundMs} ms`)), boundMs);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
