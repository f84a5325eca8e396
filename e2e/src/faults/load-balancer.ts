import { setTimeout as pause } from 'node:timers/promises';

import type { Api } from '../harness/api.js';

export const CHECK_EVERY_MS = 200;
const CHECK_LIMIT_MS = 1_000;

/** What a load balancer does: asks each /readyz every 200 ms, and sends requests in turn to those that said 200 last. */
export class LoadBalancer {
  readonly #ready = new Set<Api>();
  readonly #loops: Promise<void>[];
  #stopped = false;
  #next = 0;

  constructor(private readonly apis: readonly Api[]) {
    this.#loops = apis.map((api) => this.#watch(api));
  }

  /** Where the next request goes; undefined when nobody is ready. */
  pick(): Api | undefined {
    const ready = this.apis.filter((api) => this.#ready.has(api));
    this.#next += 1;
    return ready[this.#next % ready.length];
  }

  isReady(api: Api): boolean {
    return this.#ready.has(api);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  async #watch(api: Api): Promise<void> {
    while (!this.#stopped) {
      const answer = await api
        .request('GET', '/readyz', undefined, { withinMs: CHECK_LIMIT_MS })
        .catch(() => undefined);
      this.#ready[answer?.status === 200 ? 'add' : 'delete'](api);
      await pause(CHECK_EVERY_MS);
    }
  }
}
