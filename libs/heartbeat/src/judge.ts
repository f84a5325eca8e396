import type { Clock, Random } from '@orchestrator/core';
import { PeriodicService, type Service } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';

import { StaleTermError } from './errors.js';
import type { Death, Pulse, RegistryPulses, SessionRegistry } from './registry.js';
import { DEAD_AFTER_MS, LEASE_MARGIN_MS } from './timings.js';

export interface SessionJudgeParams {
  registry: SessionRegistry;
  /** That of the leader it judges for; one judge for one term. */
  term: number;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Default `DEAD_AFTER_MS`. */
  deadAfterMs?: number;
  /** Between two looks. Default `LOOK_INTERVAL_MS`. */
  intervalMs?: number;
  /** Two looks further apart than this: the loop has stalled. Default `STALL_MS`. */
  stallMs?: number;
  /** To be carried out in each pool. What fails here is logged; the sweep carries it out again. */
  onDeath(death: Death): Promise<void> | void;
  /** Somebody else has a higher term, as a look or a refused verdict said: stop leading. */
  onStaleTerm?(error: StaleTermError): void;
}

export const LOOK_INTERVAL_MS = 1_000;
/** An interval, the limit of a call to Redis, and a little. */
export const STALL_MS = 4_000;

interface Window {
  renewals: number;
  /** By our clock, after the look had been answered. */
  sinceMs: number;
}

/**
 * Decides which session is dead; runs only while its process leads.
 *
 * It counts on its own monotonic clock since it SAW a session's renewal count change: no machine's clock is compared
 * with another's. Every window starts anew for a new leader (a new judge), when Redis did not answer a look or a
 * verdict, when it is another server than at the last look, and when this loop itself has stalled: for that time nobody
 * could have seen a renewal, so an outage of the control plane kills nobody. A verdict carries the term, the renewal
 * count and the server it was judged on, all of which Redis checks in one step.
 */
export class SessionJudge implements Service {
  readonly name = 'session judge';
  private readonly loop: PeriodicService;
  private readonly windows = new Map<string, Window>();
  private readonly unregisteredSinceMs = new Map<string, number>();
  private runId: string | undefined;
  private lastStartMs: number | undefined;

  constructor(private readonly params: SessionJudgeParams) {
    const { clock, random, logger, intervalMs = LOOK_INTERVAL_MS } = params;
    this.loop = new PeriodicService({
      name: this.name,
      intervalMs,
      clock,
      random,
      logger,
      run: (signal) => this.judge(signal),
    });
  }

  start(): Promise<void> {
    this.restartWindows();
    return this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  /** One look and what follows from it. Rejects when Redis cannot be reached. */
  runOnce(): Promise<void> {
    return this.loop.runOnce();
  }

  /** For how long this judge has seen no renewal of a session; undefined for one that it does not know as living. */
  silentMs(session: string): number | undefined {
    const window = this.windows.get(session);
    return window && this.params.clock.monotonicMs() - window.sinceMs;
  }

  /**
   * The sweep, given the sessions that gates name (read before this call): which deaths are to be carried out, whether
   * or not that was done before. A session that only a gate knows is entered as dead at once, and its jobs move when
   * this judge has known that for as long as silence takes to kill.
   */
  async sweep(gated: Iterable<string>): Promise<Death[]> {
    const { registry, clock, deadAfterMs = DEAD_AFTER_MS } = this.params;
    const { runId, living } = await registry.pulses();
    const lives = new Set(living.map(({ session }) => session));
    const due: Death[] = [];
    const unregistered = new Set<string>();
    for (const session of new Set(gated)) {
      if (lives.has(session)) {
        continue;
      }
      const record = await registry.get(session);
      const death = record === undefined ? await this.declare(session, 0, 'unregistered', runId) : record.death;
      if (death === undefined) {
        continue;
      }
      if (death.reason === 'unregistered') {
        unregistered.add(session);
        const sinceMs = this.unregisteredSinceMs.get(session) ?? clock.monotonicMs();
        this.unregisteredSinceMs.set(session, sinceMs);
        if (clock.monotonicMs() - sinceMs < deadAfterMs) {
          continue;
        }
      }
      due.push(death);
    }
    keepOnly(this.unregisteredSinceMs, unregistered);
    return due;
  }

  private async judge(signal: AbortSignal): Promise<void> {
    const { clock, registry, logger, stallMs = STALL_MS } = this.params;
    const startMs = clock.monotonicMs();
    if (this.lastStartMs !== undefined && startMs - this.lastStartMs > stallMs) {
      logger.warn('the judge was stalled; every window starts anew', { stalledMs: startMs - this.lastStartMs });
      this.restartWindows();
    }
    this.lastStartMs = startMs;
    const { runId, living } = await this.restartingOnFailure(async () => this.requireOwnTerm(await registry.pulses()));
    if (this.runId !== undefined && this.runId !== runId) {
      logger.warn('the control slot is on another server; every window starts anew', { runId });
      this.restartWindows();
    }
    this.runId = runId;
    this.see(living);
    for (const pulse of living) {
      if (signal.aborted) {
        return;
      }
      if (this.isSilent(pulse, startMs)) {
        await this.condemn(pulse, runId, startMs);
      }
    }
  }

  /** One that was stopped and wakes learns it here, before it has judged anything. */
  private requireOwnTerm(pulses: RegistryPulses): RegistryPulses {
    const { term } = this.params;
    if (pulses.term > term) {
      throw new StaleTermError(`term ${term} is over, the current one is ${pulses.term}`);
    }
    return pulses;
  }

  private see(living: readonly Pulse[]): void {
    const nowMs = this.params.clock.monotonicMs();
    for (const { session, renewals } of living) {
      if (this.windows.get(session)?.renewals !== renewals) {
        this.windows.set(session, { renewals, sinceMs: nowMs });
      }
    }
    keepOnly(this.windows, new Set(living.map(({ session }) => session)));
  }

  /** Until `startMs`, when the look was asked for: what it shows is at least as new. */
  private isSilent({ session, leaseMs }: Pulse, startMs: number): boolean {
    const window = this.windows.get(session);
    const limitMs = Math.max(this.params.deadAfterMs ?? DEAD_AFTER_MS, leaseMs + LEASE_MARGIN_MS);
    return window !== undefined && startMs - window.sinceMs >= limitMs;
  }

  private async condemn({ session, renewals }: Pulse, runId: string, startMs: number): Promise<void> {
    const { logger } = this.params;
    const silentForMs = startMs - (this.windows.get(session)?.sinceMs ?? startMs);
    const death = await this.declare(session, renewals, 'silent', runId);
    if (death === undefined) {
      return;
    }
    const { worker, reason } = death;
    logger.warn('a worker is declared dead', { session, worker, silentForMs, reason });
    try {
      await this.params.onDeath(death);
    } catch (error) {
      logger.error('a death could not be carried out; the sweep does it again', { session, worker, error });
    }
  }

  /** Undefined when it lives after all. */
  private async declare(
    session: string,
    renewals: number,
    reason: 'silent' | 'unregistered',
    runId: string,
  ): Promise<Death | undefined> {
    const { registry, term } = this.params;
    const answer = await this.restartingOnFailure(() =>
      registry.declareDead({ session, term, renewals, runId, reason }),
    );
    return answer === 'renewed' || answer === 'unknown' ? undefined : answer;
  }

  private async restartingOnFailure<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      this.restartWindows();
      if (error instanceof StaleTermError) {
        this.params.onStaleTerm?.(error);
      }
      throw error;
    }
  }

  private restartWindows(): void {
    this.windows.clear();
    this.unregisteredSinceMs.clear();
  }
}

function keepOnly(map: Map<string, unknown>, keep: ReadonlySet<string>): void {
  for (const key of map.keys()) {
    if (!keep.has(key)) {
      map.delete(key);
    }
  }
}
