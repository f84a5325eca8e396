import type { ClaimedJob } from '@orchestrator/queue';

import type { Assignee } from './assignee.js';
import { CreditAccount, type CreditShare } from './credit-account.js';
import { OutstandingAttempts } from './outstanding-attempts.js';
import type { PoolDispatchers } from './pool-dispatchers.js';
import { PoolTurns } from './pool-turns.js';
import { type WedgeSample, WEDGED_BEATS } from './wedge-watch.js';

/**
 * Jobs that one worker may have beyond its slots, whatever it grants: each Hello and each death walks through all that it
 * has, in one step of Redis.
 */
const MAX_BEYOND_SLOTS = 1_000;

/** What one worker may be given, was given and has reported, since its Welcome. */
export class ConnectionWork {
  private credit = new CreditAccount();
  private slots = 0;
  private strange = 0;
  private readonly outstanding = new OutstandingAttempts();
  /** Those whose gates are open for its epoch. */
  private readonly pools = new Set<string>();
  private readonly turns = new PoolTurns();

  constructor(
    private readonly assignee: Assignee,
    private readonly dispatchers: PoolDispatchers,
  ) {}

  /** How many attempts it is believed to have. */
  get size(): number {
    return this.outstanding.size;
  }

  /** How many attempts it has reported that it neither held nor was given, or that cannot be. */
  get strangeReports(): number {
    return this.strange;
  }

  /** A Welcome: no credit, and it holds these. */
  restart(attemptIds: Iterable<string>, slots: number): void {
    this.slots = slots;
    this.credit = new CreditAccount();
    this.strange = 0;
    this.outstanding.restart(attemptIds);
  }

  /** It was told that these are recorded, or not its own: it reports them no more. */
  forget(attemptIds: Iterable<string>): void {
    for (const attemptId of attemptIds) {
      this.outstanding.report(attemptId);
    }
  }

  open(pool: string): void {
    this.pools.add(pool);
    this.turns.add(pool);
    this.dispatchers.of(pool).attach(this.assignee);
  }

  closePools(): void {
    for (const pool of this.pools) {
      this.dispatchers.of(pool).detach(this.assignee);
    }
    this.pools.clear();
    this.turns.clear();
  }

  /** What this pool may claim for it now. */
  share(pool: string): CreditShare | undefined {
    const room = this.slots + MAX_BEYOND_SLOTS - this.outstanding.size - this.credit.underWay;
    const credit = this.pools.has(pool) ? this.credit.available() : undefined;
    const share = credit && { max: Math.min(credit.max, room), free: Math.min(credit.free, room) };
    if (share === undefined || share.max <= 0) {
      return undefined;
    }
    return this.turns.mayTake(pool, (other) => this.dispatchers.of(other).hasAppetite) ? share : undefined;
  }

  reserve(pool: string, jobs: number): void {
    this.credit.reserve(jobs);
    this.turns.served(pool);
  }

  /** Of what was reserved these were claimed. */
  take(reserved: number, jobs: readonly ClaimedJob[]): void {
    this.credit.use(reserved, jobs.length);
    this.outstanding.add(jobs.map(({ attemptId }) => attemptId));
  }

  grant(granted: number, prefetch: number): void {
    this.credit.grant(granted, prefetch);
    this.wake();
  }

  /** False: it neither held it nor was given it. */
  reported(attemptId: string): boolean {
    const isKnown = this.outstanding.report(attemptId);
    this.strange += isKnown ? 0 : 1;
    return isKnown;
  }

  reportedNonsense(): void {
    this.strange += 1;
  }

  /** What one pool has left is for the others. */
  wakeOthers(pool: string): void {
    if (this.pools.size > 1 && this.credit.available().max > 0) {
      this.wake(pool);
    }
  }

  /** At each heartbeat, once. */
  sample(worker: Pick<WedgeSample, 'slots' | 'freeSlots' | 'draining'>): WedgeSample {
    this.outstanding.beat();
    const { granted, prefetch } = this.credit;
    return {
      ...worker,
      isWanted: [...this.pools].some((pool) => this.dispatchers.of(pool).hasQueued),
      granted,
      unused: this.credit.available().max,
      prefetch,
      overdue: this.outstanding.olderThan(WEDGED_BEATS),
    };
  }

  private wake(but?: string): void {
    const isUrgent = this.credit.available().free > 0;
    for (const pool of this.pools) {
      if (pool !== but) {
        this.dispatchers.of(pool).creditChanged(isUrgent);
      }
    }
  }
}
