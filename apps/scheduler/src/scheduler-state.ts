import type { Service } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';

import type { SchedulerStatus } from './http/deps.js';
import type { RedisHealth } from './redis/redis-watch.js';

export interface SchedulerStateParams {
  id: string;
  version: string;
  durability: string;
  isLeader(): boolean;
  redisHealth(): Promise<RedisHealth>;
  ports(): SchedulerStatus['ports'];
  logger: Logger;
}

/** Whether this scheduler may be sent work. Started last and stopped first. */
export class SchedulerState implements Service {
  readonly name = 'readiness';
  readonly #params: SchedulerStateParams;
  #phase: 'starting' | 'running' | 'stopping' = 'starting';

  constructor(params: SchedulerStateParams) {
    this.#params = params;
  }

  get isStopping(): boolean {
    return this.#phase === 'stopping';
  }

  async start(): Promise<void> {
    if (this.#phase === 'starting') {
      const { version, durability, logger } = this.#params;
      this.#phase = 'running';
      logger.info('the scheduler runs', { version, durability, ports: this.#params.ports() });
    }
  }

  async stop(): Promise<void> {
    this.#phase = 'stopping';
  }

  async status(): Promise<SchedulerStatus> {
    const { id, version, durability } = this.#params;
    const { answers, trouble } = await this.#params.redisHealth();
    const reason = this.#reason(trouble);
    return {
      status: reason === undefined ? 'ready' : 'not_ready',
      id,
      version,
      leader: this.#params.isLeader(),
      ports: this.#params.ports(),
      redis: answers ? 'ok' : 'unreachable',
      durability,
      ...(reason === undefined ? {} : { reason }),
    };
  }

  #reason(trouble: string | undefined): string | undefined {
    if (this.#phase !== 'running') {
      return this.#phase === 'starting' ? 'it is starting' : 'it is stopping';
    }
    return trouble;
  }
}
