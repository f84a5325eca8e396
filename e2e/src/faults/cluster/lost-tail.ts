import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { FaultCluster } from './fault-cluster.js';

/**
 * What a failover to a replica that lagged does to the data, with one server: what was written after `remember` is gone
 * after `lose`, and the server has another run_id. Start the cluster with
 * `redisArgs: ['--appendfsync', 'always']`, so that the copy is what had been acknowledged.
 */
export class LostTail {
  readonly #copy: string;

  private constructor(
    private readonly cluster: FaultCluster,
    private readonly data: string,
  ) {
    this.#copy = join(cluster.folder, 'appendonlydir.remembered');
  }

  /** Needs 'a local redis-server': its files have to be on this machine. */
  static async of(cluster: FaultCluster): Promise<LostTail> {
    const [, directory = ''] = await cluster.redisClient.config('GET', 'dir');
    return new LostTail(cluster, join(directory, 'appendonlydir'));
  }

  /** The server is stopped meanwhile: files that grow while they are copied would fit no moment. */
  async remember(): Promise<void> {
    await this.cluster.redis.signal('SIGSTOP');
    rmSync(this.#copy, { recursive: true, force: true });
    cpSync(this.data, this.#copy, { recursive: true });
    await this.cluster.redis.signal('SIGCONT');
  }

  /** SIGKILL, and a new server on what was remembered. */
  async lose(): Promise<void> {
    await this.cluster.redis.signal('SIGKILL');
    rmSync(this.data, { recursive: true, force: true });
    cpSync(this.#copy, this.data, { recursive: true });
    await this.cluster.redis.restart();
  }
}
