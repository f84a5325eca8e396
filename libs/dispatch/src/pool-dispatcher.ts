import type { Clock, Random, Timer } from '@orchestrator/core';
import type { SessionRegistry } from '@orchestrator/heartbeat';
import type { AttemptRef } from '@orchestrator/proto-types';
import {
  type ClaimReply,
  type GiveBack,
  MAX_BATCH,
  type NewsType,
  type PoolGlance,
  type QueueStore,
  type Settlement,
  StoreUnavailableError,
} from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { Assignee } from './assignee.js';
import type { DispatchCounters } from './counters.js';
import { deliver, type Taken } from './deliver.js';
import { ForeseenJobs } from './foreseen-jobs.js';
import { OrderTeller } from './order-teller.js';
import type { PoolEvent, PoolNews } from './pool-news.js';
import { PoolRecoveryWatch } from './pool-recovery-watch.js';
import { PoolReports } from './pool-reports.js';
import type { FlushState } from './report-flusher.js';
import { RetryDelay } from './retry-delay.js';
import { SafetyPoll } from './safety-poll.js';
import { TurnPace } from './turn-pace.js';
import { type Picked, WorkerPicker } from './worker-picker.js';

export interface PoolDispatcherDeps {
  store: QueueStore;
  registry: SessionRegistry;
  news: PoolNews;
  clock: Clock;
  random: Random;
  logger: Logger;
  counters: DispatchCounters;
  /** Told by each claim when the next job is due. */
  onNextDue(pool: string, inMs: number): void;
}

/** Events after which something may be waiting to be claimed. */
const WAITING_EVENTS: ReadonlySet<NewsType> = new Set<NewsType>(['queued', 'returned', 'reassigned']);
const HEARD: readonly NewsType[] = [...WAITING_EVENTS, 'cancel'];

const NOBODY: Picked = { taken: [], isAll: true };

/**
 * Nothing is claimed while more reports than this wait for the store: a slot is free when its result was sent, so workers
 * would otherwise be given jobs faster than what they did with the last ones can be recorded, without end.
 */
const MAX_UNRECORDED = 4 * MAX_BATCH;

/**
 * So many settlements that wait beside a call under way are worth another one: the store works on the one while this
 * scheduler reads and writes for the other. Fewer gather, since each call has its price.
 */
const WORTH_A_SECOND_CALL = 200;

/**
 * Moves the jobs of one pool between the store and the workers connected here. One loop: a turn brings in what was
 * reported since the last one, then claims for workers that have credit. A turn starts at once when nothing is under way,
 * and what happens meanwhile gathers for the next: batches grow with the load and with nothing else.
 */
export class PoolDispatcher {
  private readonly assignees = new Set<Assignee>();
  private readonly reports: PoolReports;
  private readonly orders: OrderTeller;
  private readonly recovery: PoolRecoveryWatch;
  private readonly delay: RetryDelay;
  private readonly pace: TurnPace;
  private readonly foreseen = new ForeseenJobs();
  private readonly picker: WorkerPicker;
  private readonly poll: SafetyPoll;
  private readonly logger: Logger;
  private unsubscribe: (() => void) | undefined;
  private retry: Timer | undefined;
  /** A claim is worth trying. */
  private appetite = true;
  private queued = 0;
  private notBefore = 0;
  private dirty = false;
  /** Calls that the store has not answered. */
  private calls = 0;
  private loop: Promise<void> | undefined;
  /** A second call under way beside those of the loop. */
  private beside: Promise<void> | undefined;
  /** Who waits for the end of the next turn of the loop. */
  private readonly afterTurn: (() => void)[] = [];
  private claiming = true;
  private stopped = false;

  constructor(
    readonly pool: string,
    private readonly deps: PoolDispatcherDeps,
  ) {
    const { store, logger, counters, random, clock } = deps;
    this.logger = logger.child({ pool });
    this.delay = new RetryDelay(random);
    this.pace = new TurnPace(clock);
    this.picker = new WorkerPicker(pool);
    this.poll = new SafetyPoll(pool, {
      ...deps,
      logger: this.logger,
      onLook: () => void this.orders.tell(),
      onSeen: (glance) => this.saw(glance),
    });
    this.orders = new OrderTeller(pool, { store, logger: this.logger, assignees: () => this.assignees });
    this.recovery = new PoolRecoveryWatch(pool, {
      ...deps,
      logger: this.logger,
      assignees: () => this.assignees,
      onReady: () => this.hurry(),
    });
    this.reports = new PoolReports(pool, { store, counters, logger: this.logger });
  }

  /**
   * It would claim at once if it had credit. While a call of its own is under way it could not: then credit is not kept
   * for it, or all pools of a worker would wait for that call. It still has the next turn.
   */
  get hasAppetite(): boolean {
    return this.appetite && this.claiming && this.calls === 0 && this.assignees.size > 0 && !this.isBackingOff();
  }

  /** As far as is known: jobs were waiting when it was last looked at. */
  get hasQueued(): boolean {
    return this.queued > 0;
  }

  /** No worker here is for it, and nothing is left to be done. */
  get isUnused(): boolean {
    return this.assignees.size === 0 && this.unrecorded === 0 && !this.loop && !this.beside;
  }

  /** Reports that the store does not have yet. */
  get unrecorded(): number {
    return this.reports.size;
  }

  attach(assignee: Assignee): void {
    this.assignees.add(assignee);
    this.unsubscribe ??= this.deps.news.subscribe(this.pool, (events) => this.onNews(events), HEARD);
    this.appetite = true;
    this.poll.start();
    void this.orders.tell();
    this.wake();
  }

  detach(assignee: Assignee): void {
    this.assignees.delete(assignee);
    if (this.assignees.size === 0) {
      this.unsubscribe?.();
      this.unsubscribe = undefined;
      this.poll.stop();
    }
  }

  /** `isUrgent`: a slot stands empty. */
  creditChanged(isUrgent: boolean): void {
    this.appetite ||= this.queued > 0;
    if (isUrgent && this.queued > 0) {
      this.pace.hurry();
    }
    // Else there is nothing to do with it, and a worker with a hundred pools tells each of them of what each has left.
    if (this.appetite) {
      this.wake();
    }
  }

  /** Something may be waiting. */
  hurry(): void {
    this.appetite = true;
    this.pace.hurry();
    this.wake();
  }

  /**
   * These are on their way into the store, by this scheduler: where a slot is free and nothing else waits, the claim goes
   * right behind them, half a round trip before the news come. Resolves when it was answered, and what it brought is on
   * its way; undefined: there is none.
   */
  submitting(jobs: readonly { ulid: string }[]): Promise<void> | undefined {
    if (this.calls > 0 || this.queued > 0 || !this.claiming || !this.hasFreeSlot()) {
      return undefined;
    }
    this.foreseen.add(jobs);
    this.hurry();
    return new Promise((resolve) => this.afterTurn.push(resolve));
  }

  /** Somebody else has looked. */
  sawQueued(queued: number): void {
    this.queued = queued;
  }

  report(from: Assignee, ref: AttemptRef, report: Settlement | GiveBack): void {
    this.reports.add(from, ref, report);
    this.wake();
    this.beside ??= this.isWorthASecond() ? this.runBeside() : undefined;
  }

  /** Claims nothing more; resolves when no claim is under way. Reports are still brought in. */
  async stopClaims(): Promise<void> {
    this.claiming = false;
    await Promise.all([this.loop, this.beside]);
  }

  /** Ends it; what is unrecorded stays with its workers. */
  async stop(): Promise<void> {
    this.claiming = false;
    this.stopped = true;
    this.pace.stop();
    this.retry?.cancel();
    this.recovery.stop();
    for (const assignee of [...this.assignees]) {
      this.detach(assignee);
    }
    await Promise.all([this.loop, this.beside]);
  }

  private onNews(events: readonly PoolEvent[]): void {
    const waiting = events.filter(({ type }) => WAITING_EVENTS.has(type));
    if (waiting.filter(({ ulid }) => this.foreseen.announced(ulid, this.calls > 0)).length > 0) {
      this.hurry();
    }
    if (events.some(({ type }) => type === 'cancel')) {
      void this.orders.tell();
    }
  }

  /** Of the safety poll. A claim also ends a recovery that is over. */
  private saw({ queued, nextDueInMs, recovery }: PoolGlance): void {
    if (nextDueInMs !== undefined) {
      this.deps.onNextDue(this.pool, nextDueInMs);
    }
    this.queued = queued;
    this.recovery.heard(recovery);
    if (queued > 0 || recovery !== undefined) {
      this.picker.nameAll(); // whose gate is lost learns it here
      this.hurry();
    }
  }

  private isBackingOff(): boolean {
    return this.stopped || this.deps.clock.monotonicMs() < this.notBefore;
  }

  private wake(): void {
    this.dirty = true;
    this.loop ??= this.run();
  }

  private async run(): Promise<void> {
    // What arrives in the same tick belongs to the same turn.
    await Promise.resolve();
    while (this.dirty && !this.isBackingOff()) {
      await this.pace.wait(() => this.hasFreeSlot());
      this.dirty = false;
      if (await this.bringIn(() => this.reports.giveBack())) {
        await this.turn();
      }
      this.tellWaiting();
    }
    this.tellWaiting();
    // In the same tick as the last look at `dirty`: a wake is never lost.
    this.loop = undefined;
  }

  private tellWaiting(): void {
    this.afterTurn.splice(0).forEach((resolve) => resolve());
  }

  /** While the loop waits for an answer; what is out of the ordinary is left to the loop. */
  private isWorthASecond(): boolean {
    const isOrdinary = !this.reports.isCautious && !this.isBackingOff();
    return this.calls > 0 && isOrdinary && this.reports.unsent >= WORTH_A_SECOND_CALL;
  }

  private async runBeside(): Promise<void> {
    // What arrives in the same tick belongs to the same turn.
    await Promise.resolve();
    while (this.isWorthASecond()) {
      await this.turn();
    }
    // In the same tick as the last look.
    this.beside = undefined;
    if (this.dirty) {
      this.wake();
    }
  }

  /** False: the store does not answer; a timer goes on. */
  private async bringIn(flush: () => Promise<FlushState>): Promise<boolean> {
    this.calls += 1;
    const state = await flush();
    this.calls -= 1;
    this.lookForMissed();
    if (state === 'failed') {
      this.backOff();
      return false;
    }
    this.dirty ||= state === 'more';
    return true;
  }

  /** Settles and claims: in one call where there is something of both. */
  private async turn(): Promise<void> {
    const settle = (): Promise<FlushState> => this.reports.settle();
    if (this.reports.isCautious && !(await this.bringIn(settle))) {
      return;
    }
    const picked = this.pickIfHungry();
    const { taken } = picked;
    if (taken.length === 0) {
      await this.bringIn(settle);
      return;
    }
    this.appetite = false;
    this.calls += 1;
    try {
      const wants = taken.map(({ assignee: { session, worker }, offer }) => ({ session, worker, ...offer }));
      const { claimed, more } = await this.reports.settleAndClaim(wants).finally(() => (this.calls -= 1));
      this.dirty ||= more;
      this.claimed(picked, claimed);
    } catch (error) {
      this.onClaimFailed(taken, error);
    }
  }

  private claimed(picked: Picked, reply: ClaimReply): void {
    this.delay.reset();
    this.queued = reply.queued;
    // What came while the answer was under way has set it again.
    this.appetite = this.picker.answered(picked, reply) || this.appetite;
    this.foreseen.claimed(reply.jobs);
    this.lookForMissed();
    this.dirty ||= this.appetite;
    deliver(this.pool, picked.taken, reply);
    this.deps.counters.assigned += reply.jobs.length;
    if (reply.nextDueInMs !== undefined) {
      this.deps.onNextDue(this.pool, reply.nextDueInMs);
    }
    this.recovery.heard(reply.recovery);
  }

  /** News came while a call was under way that might have brought their jobs: when none is any more, they count. */
  private lookForMissed(): void {
    if (this.calls === 0 && this.foreseen.missed()) {
      this.appetite = true;
      this.dirty = true;
    }
  }

  /** Then nothing is gained by waiting: what comes is little. */
  private hasFreeSlot(): boolean {
    for (const assignee of this.assignees) {
      if ((assignee.offer(this.pool)?.free ?? 0) > 0) {
        return true;
      }
    }
    return false;
  }

  private pickIfHungry(): Picked {
    return this.appetite && this.claiming && this.unrecorded <= MAX_UNRECORDED
      ? this.picker.pick(this.assignees, this.queued + this.foreseen.size)
      : NOBODY;
  }

  /** It may have been carried out, and is never repeated: who was named must say what arrived. */
  private onClaimFailed(taken: readonly Taken[], error: unknown): void {
    const did = !(error instanceof StoreUnavailableError && !error.mayHaveExecuted);
    this.logger.warn('a claim was not answered', { workers: taken.length, mayHaveExecuted: did, error });
    for (const { assignee, offer } of taken) {
      if (did) {
        assignee.rehello('a claim for it was not answered');
      } else {
        assignee.assign(this.pool, offer.epoch, offer.max, []);
      }
    }
    this.appetite = true;
    this.backOff();
  }

  private backOff(): void {
    if (this.stopped) {
      return; // a call that was under way then has failed: nothing comes after it
    }
    const delayMs = this.delay.next();
    this.notBefore = this.deps.clock.monotonicMs() + delayMs;
    this.retry?.cancel();
    this.retry = this.deps.clock.setTimer(delayMs, () => {
      this.notBefore = 0;
      this.wake();
    });
  }
}
