import { type Clock, type Random, sleep } from '@orchestrator/core';
import { type Service, withTimeout } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';

import type { Lease, Lock } from './lock.js';

export interface Leadership {
  isLeader: boolean;
  /** Of the leadership that has begun or ended. */
  term: number;
}

export interface LeaderElectionParams {
  lock: Lock;
  /** Of the lock. Default "leader". */
  name?: string;
  /** Who campaigns, for logs and for `mintTerm`. */
  candidate: string;
  /** Mints the next term where every script that only a leader may run checks it. */
  mintTerm(candidate: string): Promise<number>;
  /**
   * Leads until the signal aborts, then ends within `STEP_DOWN_MS`. Ending or failing before that gives the leadership
   * back. It is never called again before it has ended.
   */
  lead(term: number, signal: AbortSignal): Promise<void>;
  onChange?(leadership: Leadership): void;
  clock: Clock;
  random: Random;
  logger: Logger;
}

export const STEP_DOWN_MS = 1_000;
const MINT_LIMIT_MS = 3_000;
/** After an ended leadership, so that others have their chance. Randomised. */
const PAUSE_MS = 1_000;

/**
 * Campaigns for as long as it runs. The lock only says who should lead; what makes a second leader harmless is the term
 * that is minted after the lock was won.
 */
export class LeaderElection implements Service {
  readonly name = 'leader election';
  private stopping: AbortController | undefined;
  private campaigning: Promise<void> | undefined;
  private current: { term: number; lease: Lease; stepDown: AbortController } | undefined;

  constructor(private readonly params: LeaderElectionParams) {}

  async start(): Promise<void> {
    if (this.stopping !== undefined) {
      return;
    }
    const stopping = new AbortController();
    const before = this.campaigning;
    this.stopping = stopping;
    this.campaigning = (async () => {
      await before;
      await this.campaign(stopping.signal);
    })();
  }

  /** Steps down and gives the lock back, so that the next one leads at once. */
  async stop(): Promise<void> {
    this.stopping?.abort();
    this.stopping = undefined;
    await this.campaigning;
  }

  get isLeader(): boolean {
    return this.term !== undefined;
  }

  /** Of this process' leadership; undefined while it does not lead. */
  get term(): number | undefined {
    const { current } = this;
    return current && !current.stepDown.signal.aborted && current.lease.remainingMs() > 0 ? current.term : undefined;
  }

  /** Gives the leadership back and campaigns again, as after a STALE_TERM. */
  resign(): void {
    this.current?.stepDown.abort();
  }

  private async campaign(stopped: AbortSignal): Promise<void> {
    const { lock, name = 'leader', clock, random, logger } = this.params;
    while (!stopped.aborted) {
      try {
        const lease = await lock.acquire(name, stopped);
        if (lease !== undefined) {
          await this.serve(lease, stopped).finally(() => lease.release());
        }
      } catch (error) {
        logger.error('a campaign failed; trying again', { error });
      }
      await sleep(clock, PAUSE_MS * (0.5 + random.next()), stopped);
    }
  }

  private async serve(lease: Lease, stopped: AbortSignal): Promise<void> {
    const { clock, candidate, logger } = this.params;
    const term = await withTimeout(clock, MINT_LIMIT_MS, 'minting a term', this.params.mintTerm(candidate));
    const stepDown = new AbortController();
    const abort = (): void => stepDown.abort();
    const given = AbortSignal.any([lease.signal, stopped]);
    if (given.aborted || lease.remainingMs() <= 0) {
      return;
    }
    given.addEventListener('abort', abort, { once: true });
    this.current = { term, lease, stepDown };
    stepDown.signal.addEventListener('abort', () => this.changed(false, term), { once: true });
    this.changed(true, term);
    logger.info('leading', { candidate, term });
    try {
      await this.leadUntilEnded(term, lease, stepDown.signal);
    } finally {
      given.removeEventListener('abort', abort);
      abort();
      this.current = undefined;
      logger.info('not leading any more', { candidate, term });
    }
  }

  private async leadUntilEnded(term: number, lease: Lease, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.params;
    const leading = (async () => this.params.lead(term, signal))().catch((error: unknown) =>
      logger.error('leading failed', { term, error }),
    );
    await Promise.race([leading, aborted(signal)]);
    try {
      await withTimeout(clock, STEP_DOWN_MS, 'stepping down', leading);
    } catch (error) {
      logger.warn('stepping down takes too long; this process does not campaign before it is done', { term, error });
      await lease.release();
      await leading;
    }
  }

  private changed(isLeader: boolean, term: number): void {
    try {
      this.params.onChange?.({ isLeader, term });
    } catch (error) {
      this.params.logger.error('a listener to the leadership failed', { error });
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    } else {
      signal.addEventListener('abort', () => resolve(), { once: true });
    }
  });
}
