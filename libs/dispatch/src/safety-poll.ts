import type { Clock, Random, Timer } from '@orchestrator/core';
import type { PoolGlance, QueueStore } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

export interface SafetyPollParams {
  store: Pick<QueueStore, 'glance'>;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** At each look, before it is answered. */
  onLook(): void;
  onSeen(glance: PoolGlance): void;
}

/** Nothing depends on news: so often each pool is looked at anyway. */
export const SAFETY_POLL_MS = 1_000;
/** Of that: pools whose workers came together are not all looked at in the same moment. */
const JITTER = 0.1;

/** Looks at one pool each second. A look reads and is no claim: of hundreds of pools that rest each would write. */
export class SafetyPoll {
  private timer: Timer | undefined;
  private isLooking = false;

  constructor(
    private readonly pool: string,
    private readonly params: SafetyPollParams,
  ) {}

  start(): void {
    const { clock, random } = this.params;
    this.timer ??= clock.setTimer(SAFETY_POLL_MS * (1 - JITTER * random.next()), () => {
      this.timer = undefined;
      this.start();
      this.params.onLook();
      void this.look();
    });
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private async look(): Promise<void> {
    if (this.isLooking) {
      return;
    }
    this.isLooking = true;
    try {
      const seen = await this.params.store.glance(this.pool);
      if (this.timer !== undefined) {
        this.params.onSeen(seen);
      }
    } catch (error) {
      this.params.logger.debug('a pool could not be looked at; looked at again soon', { error });
    } finally {
      this.isLooking = false;
    }
  }
}
