import { type Clock, sleep } from '@orchestrator/core';
import type { Service } from '@orchestrator/lifecycle';

import type { Connections } from './connections.js';
import type { DeathCarrier } from './death-carrier.js';
import type { PoolDispatchers } from './pool-dispatchers.js';
import type { WorkerConnection } from './worker-connection.js';

export const STOP_LIMIT_MS = 3_000;
const STOP_POLL_MS = 20;

export interface StreamsDeps {
  clock: Clock;
  connections: Connections;
  pools: PoolDispatchers;
  carrier: DeathCarrier;
  limitMs: number;
}

/** The workers' streams as a whole: how they end in good order. */
export class Streams implements Service {
  readonly name = 'worker streams';
  private stopping: Promise<void> | undefined;

  constructor(private readonly deps: StreamsDeps) {}

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.stopping ??= this.leave();
    return this.stopping;
  }

  admit(connection: WorkerConnection): void {
    if (this.stopping !== undefined) {
      connection.end({ code: 'RECONNECT', detail: 'this scheduler stops' });
    }
  }

  /** No more claims, workers told to move, what was reported brought in, streams closed. */
  private async leave(): Promise<void> {
    const { clock, connections, pools, carrier, limitMs } = this.deps;
    const until = clock.monotonicMs() + limitMs;
    await Promise.all(pools.list().map((pool) => pool.stopClaims()));
    for (const connection of connections.list()) {
      connection.reconnect('this scheduler stops');
    }
    const isHolding = (): boolean => connections.list().length > 0 || pools.list().some((pool) => pool.unrecorded > 0);
    while (isHolding() && clock.monotonicMs() < until) {
      await sleep(clock, STOP_POLL_MS);
    }
    for (const connection of connections.list()) {
      connection.end({ code: 'RECONNECT', detail: 'this scheduler stops' });
    }
    await Promise.all([carrier.stop(), ...pools.list().map((pool) => pool.stop())]);
  }
}
