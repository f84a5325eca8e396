import type { Clock, Timer } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';
import type { Lock as RedlockToken } from '@sesamecare-oss/redlock';

import { LeaseEndedError } from './errors.js';
import type { Lease } from './lock.js';
import type { RedlockNodes } from './redlock-nodes.js';

export interface RedlockLeaseParams {
  name: string;
  token: RedlockToken;
  nodes: RedlockNodes;
  /** By the monotonic clock, read before the call that acquired it. */
  askedAtMs: number;
  /** For how long it can be trusted after that reading: the ttl without drift and margin. */
  trustMs: number;
  extendEveryMs: number;
  retryMs: number;
  clock: Clock;
  logger: Logger;
  onEnd(lease: RedlockLease): void;
}

/**
 * A lease that extends itself. Its watchdog counts on the monotonic clock from BEFORE the last call that succeeded, and
 * needs nothing of Redis: it aborts the signal also while Redis hangs, or after this process was stopped.
 */
export class RedlockLease implements Lease {
  readonly name: string;
  private readonly ending = new AbortController();
  private trustedUntilMs: number;
  private watchdog: Timer | undefined;
  private extension: Timer | undefined;
  private releasing: Promise<void> | undefined;

  constructor(private readonly params: RedlockLeaseParams) {
    this.name = params.name;
    this.trustedUntilMs = params.askedAtMs + params.trustMs;
    this.watch();
    this.extendAt(params.askedAtMs + params.extendEveryMs);
  }

  get token(): string {
    return this.params.token.value;
  }

  get signal(): AbortSignal {
    return this.ending.signal;
  }

  remainingMs(): number {
    return this.signal.aborted ? 0 : Math.max(0, this.trustedUntilMs - this.params.clock.monotonicMs());
  }

  release(): Promise<void> {
    this.end('released');
    this.releasing ??= this.params.nodes.release(this.params.token).catch((error: unknown) => {
      this.params.logger.debug('a lease could not be given back; it expires', { lock: this.name, error });
    });
    return this.releasing;
  }

  private end(why: LeaseEndedError['why']): void {
    this.watchdog?.cancel();
    this.extension?.cancel();
    if (!this.signal.aborted) {
      this.params.onEnd(this);
      this.ending.abort(new LeaseEndedError(this.name, why));
    }
  }

  private watch(): void {
    this.watchdog?.cancel();
    this.watchdog = this.params.clock.setTimer(this.trustedUntilMs - this.params.clock.monotonicMs(), () => {
      this.params.logger.warn('a lease can no longer be trusted', { lock: this.name });
      this.end('expired');
    });
  }

  private extendAt(atMs: number): void {
    const delayMs = Math.max(0, atMs - this.params.clock.monotonicMs());
    this.extension = this.params.clock.setTimer(delayMs, () => void this.extend());
  }

  private async extend(): Promise<void> {
    const { nodes, token, clock, logger, trustMs, extendEveryMs, retryMs } = this.params;
    const askedAtMs = clock.monotonicMs();
    if (askedAtMs >= this.trustedUntilMs) {
      // Stopped for longer than the lease: somebody else may have had it. The watchdog's timer is due, too.
      this.end('expired');
      return;
    }
    try {
      const extended = await nodes.extend(token);
      if (this.signal.aborted) {
        return;
      }
      if (!extended) {
        logger.warn('a lease was lost', { lock: this.name });
        this.end('lost');
        return;
      }
      this.trustedUntilMs = askedAtMs + trustMs;
      this.watch();
      this.extendAt(askedAtMs + extendEveryMs);
    } catch (error) {
      if (!this.signal.aborted) {
        logger.debug('a lease could not be extended; trying again', { lock: this.name, error });
        this.extendAt(clock.monotonicMs() + retryMs);
      }
    }
  }
}
