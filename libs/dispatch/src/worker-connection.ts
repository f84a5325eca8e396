import type { Clock, Random } from '@orchestrator/core';
import { ACKNOWLEDGEMENT_LAG, type RenewalReply } from '@orchestrator/heartbeat';
import type { AttemptRef, Credit, Heartbeat, Hello, SchedulerMessage, WorkerMessage } from '@orchestrator/proto-types';
import { type ClaimedJob, type PendingOrder, StaleEpochError } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { Assignee, Offer } from './assignee.js';
import type { Connections } from './connections.js';
import { CreditAccount } from './credit-account.js';
import { toReports, type WireReport } from './from-wire.js';
import {
  askPoolLater,
  checkHello,
  type Greeted,
  type GreetingAnswer,
  type GreetingDeps,
  type PoolHoldings,
} from './greeting.js';
import { HelloLine } from './hello-line.js';
import type { HeartbeatRenewer } from './heartbeat-renewer.js';
import type { PoolDispatchers } from './pool-dispatchers.js';
import { PoolTurns } from './pool-turns.js';
import { toAssignMessages, toCancelMessage, toRef, toVerdict } from './to-wire.js';
import type { CloseReason, WorkerLink } from './worker-link.js';

export interface WorkerConnectionDeps extends GreetingDeps {
  renewer: HeartbeatRenewer;
  pools: PoolDispatchers;
  connections: Connections;
  clock: Clock;
  random: Random;
  logger: Logger;
  heartbeatIntervalMs: number;
  /** Records that a session has left after a drain. */
  farewell(session: string, worker: string): Promise<void>;
}

type Message = NonNullable<SchedulerMessage['message']>;

/**
 * One stream of one worker, from its first Hello to its end. There is a current epoch only between a Welcome and the next
 * Hello, Rehello or end; without one nothing is claimed for it, and what names another epoch is dropped. The end of the
 * stream makes the session suspect and no more: its jobs wait.
 */
export class WorkerConnection implements Assignee {
  private hello: Hello | undefined;
  private epoch: number | undefined;
  private credit = new CreditAccount();
  private draining = false;
  /** It said Goodbye; the stream ends when that is registered. */
  private leaving = false;
  private drainTold = false;
  private acknowledged = 0;
  private readonly openPools = new Set<string>();
  private readonly turns = new PoolTurns();
  private readonly ended = new AbortController();
  private readonly hellos: HelloLine;
  private logger: Logger;

  constructor(
    private readonly link: WorkerLink,
    private readonly deps: WorkerConnectionDeps,
  ) {
    this.logger = deps.logger;
    this.hellos = new HelloLine({
      ...deps,
      signal: this.ended.signal,
      onAnswer: (hello, answer) => this.welcome(hello, answer),
    });
    deps.connections.add(this);
  }

  get session(): string {
    return this.hello?.session ?? '';
  }

  get worker(): string {
    return this.hello?.workerId ?? '';
  }

  get isServing(): boolean {
    return this.epoch !== undefined;
  }

  /** Takes one message of the worker. Never waits and never throws. */
  receive({ message }: WorkerMessage): void {
    if (this.ended.signal.aborted || message === undefined) {
      return;
    }
    if (message.$case === 'hello') {
      this.onHello(message.value);
      return;
    }
    if (this.hello === undefined) {
      this.end({ code: 'PROTOCOL', detail: `the first message is ${message.$case}: expected hello` });
      return;
    }
    switch (message.$case) {
      case 'heartbeat':
        this.onHeartbeat(message.value);
        break;
      case 'credit':
        this.onCredit(message.value);
        break;
      case 'finished':
      case 'returned':
        this.onReports(toReports(message), this.hello);
        break;
      case 'goodbye':
        void this.onGoodbye(this.hello);
        break;
    }
  }

  /** The worker sends nothing more. */
  inputEnded(): void {
    if (!this.leaving) {
      this.end({ code: 'BROKEN', detail: 'the worker ended its side' });
    }
  }

  /** Ends the stream; a second time does nothing. */
  end(reason: CloseReason): void {
    if (this.ended.signal.aborted) {
      return;
    }
    this.ended.abort();
    this.suspend();
    this.deps.connections.remove(this);
    this.link.close(reason);
    this.logger.info('worker disconnected', { code: reason.code, detail: reason.detail });
  }

  // ---- as a pool sees it

  offer(pool: string): Offer | undefined {
    if (this.epoch === undefined || this.draining || !this.openPools.has(pool)) {
      return undefined;
    }
    const share = this.credit.available();
    if (share.max === 0 || !this.turns.mayTake(pool, (other) => this.deps.pools.of(other).hasAppetite)) {
      return undefined;
    }
    return { ...share, epoch: this.epoch };
  }

  reserve(pool: string, jobs: number): void {
    this.credit.reserve(jobs);
    this.turns.served(pool);
  }

  assign(pool: string, epoch: number, reserved: number, jobs: readonly ClaimedJob[]): void {
    if (epoch !== this.epoch) {
      // Its next Hello brings them back: they are owned under a lower epoch and not held.
      return;
    }
    this.credit.use(reserved, jobs.length);
    for (const message of toAssignMessages(pool, epoch, jobs)) {
      this.send(message);
    }
    if (this.openPools.size > 1 && this.credit.available().max > 0) {
      this.wakePools((other) => other !== pool);
    }
  }

  recorded(attempts: readonly AttemptRef[]): void {
    this.tell({ $case: 'recorded', value: { attempts: [...attempts] } });
  }

  order(pool: string, orders: readonly PendingOrder[]): void {
    const told = orders.map((order) => ({ attempt: toRef(pool, order), reason: 'cancel requested' }));
    if (told.length > 0) {
      this.send(toCancelMessage(told));
    }
  }

  send(message: SchedulerMessage): void {
    if (!this.link.send(message)) {
      this.end({ code: 'SLOW_CONSUMER', detail: 'the worker does not read what it is sent' });
    }
  }

  rehello(reason: string): void {
    if (this.epoch !== undefined) {
      this.suspend();
      this.tell({ $case: 'rehello', value: { reason } });
      this.logger.warn('worker asked to say Hello again', { reason });
    }
  }

  // ---- orders that are not of a pool

  drain(reason: string): void {
    this.draining = true;
    if (!this.drainTold) {
      this.drainTold = true;
      this.tell({ $case: 'drain', value: { reason } });
    }
  }

  reconnect(reason: string): void {
    this.draining = true;
    this.tell({ $case: 'reconnect', value: { reason } });
  }

  supersede(bySession: string): void {
    this.suspend();
    this.tell({ $case: 'superseded', value: { bySession } });
    this.logger.warn('worker superseded: a newer process has its id', { bySession });
  }

  // ---- Hello

  private onHello(hello: Hello): void {
    try {
      checkHello(hello);
    } catch (error) {
      this.end({ code: 'PROTOCOL', detail: (error as Error).message });
      return;
    }
    this.suspend();
    if (this.hello !== undefined && this.hello.session !== hello.session) {
      this.deps.connections.remove(this);
      this.deps.connections.add(this);
    }
    this.hello = hello;
    this.logger = this.deps.logger.child({ worker: hello.workerId, session: hello.session });
    this.hellos.push(hello);
  }

  private welcome(hello: Hello, answer: GreetingAnswer): void {
    if (answer.status === 'greeted') {
      const late = answer.unanswered.find(({ error }) => error instanceof StaleEpochError);
      if (late === undefined) {
        this.serve(hello, answer);
      } else {
        this.end({ code: 'STALE_HELLO', detail: (late.error as Error).message });
      }
    } else if (answer.status === 'stale_hello') {
      const detail = `Hello ${hello.number} is not higher than ${answer.highest}, the highest seen`;
      this.end({ code: 'STALE_HELLO', detail });
    } else {
      this.refuse(answer);
    }
  }

  private serve(hello: Hello, { epoch, draining, answers, unanswered, foreign }: Greeted): void {
    this.epoch = epoch;
    this.credit = new CreditAccount();
    this.acknowledged = 0;
    this.draining = draining;
    this.deps.connections.welcomed(this);
    const unknown = unanswered.flatMap(({ holdings }) => holdings.refs.map((ref) => toVerdict(ref, 'unknown')));
    const { heartbeatIntervalMs, leaseMs, schedulerId } = this.deps;
    const verdicts = [...answers.flatMap((answer) => answer.verdicts), ...foreign, ...unknown];
    this.tell({
      $case: 'welcome',
      value: { helloNumber: hello.number, epoch, heartbeatIntervalMs, leaseMs, schedulerId, verdicts },
    });
    const requeued = answers.reduce((sum, answer) => sum + answer.requeued, 0);
    this.logger.info('worker welcomed', { epoch, hello: hello.number, held: hello.held.length, requeued });
    if (draining && !hello.draining) {
      this.drainTold = false;
      this.drain('asked for while it was away');
    }
    for (const { pool, orders } of answers) {
      this.order(pool, orders);
      this.open(pool);
    }
    for (const { holdings } of unanswered) {
      void this.askLater(hello, epoch, holdings);
    }
  }

  /** A pool that could not be asked at the Welcome: its attempts are answered by `Held` as soon as it can. */
  private async askLater(hello: Hello, epoch: number, holdings: PoolHoldings): Promise<void> {
    const deps = { ...this.deps, signal: this.ended.signal, isWanted: () => this.epoch === epoch };
    try {
      const answer = await askPoolLater(deps, { session: hello.session, worker: hello.workerId, epoch }, holdings);
      if (answer !== undefined) {
        this.tell({ $case: 'held', value: { helloNumber: hello.number, verdicts: answer.verdicts } });
        this.order(holdings.pool, answer.orders);
        this.open(holdings.pool);
      }
    } catch (error) {
      if (this.epoch === epoch) {
        this.end({ code: 'STALE_HELLO', detail: (error as Error).message });
      }
    }
  }

  private open(pool: string): void {
    this.openPools.add(pool);
    this.turns.add(pool);
    this.deps.pools.of(pool).attach(this);
  }

  /** No epoch is current any more. */
  private suspend(): void {
    this.epoch = undefined;
    for (const pool of this.openPools) {
      this.deps.pools.of(pool).detach(this);
    }
    this.openPools.clear();
    this.turns.clear();
  }

  // ---- what it says while it is served

  private onHeartbeat(heartbeat: Heartbeat): void {
    const { epoch } = this;
    if (epoch === undefined || heartbeat.epoch !== epoch) {
      return;
    }
    if (this.acknowledged - heartbeat.acknowledged >= ACKNOWLEDGEMENT_LAG) {
      const detail = `it has seen ${heartbeat.acknowledged} acknowledged, ${this.acknowledged} was sent`;
      this.end({ code: 'UNACKNOWLEDGED', detail });
      return;
    }
    const { freeSlots, load, memoryUsedBytes, memoryTotalBytes } = heartbeat;
    this.deps.renewer.renew({ session: this.session, epoch, freeSlots, load, memoryUsedBytes, memoryTotalBytes }).then(
      (reply) => this.onRenewed(epoch, heartbeat.sequence, reply),
      (error: unknown) => this.logger.debug('a heartbeat was not renewed', { error }),
    );
  }

  private onRenewed(epoch: number, sequence: number, reply: RenewalReply): void {
    if (this.epoch !== epoch) {
      return;
    }
    if (reply.status === 'stale_epoch') {
      this.end({ code: 'STALE_HELLO', detail: `epoch ${epoch} is over, the session is at ${reply.epoch}` });
      return;
    }
    if (reply.status !== 'alive') {
      this.refuse(reply);
      return;
    }
    this.acknowledged = Math.max(this.acknowledged, sequence);
    this.tell({ $case: 'heartbeatAck', value: { sequence } });
    if (reply.draining) {
      this.drain('asked for');
    }
    if (reply.superseded !== undefined) {
      this.deps.connections.get(reply.superseded)?.supersede(this.session);
    }
  }

  private refuse(
    reply: { status: 'session_dead'; reason: string } | { status: 'superseded'; bySession: string },
  ): void {
    if (reply.status === 'superseded') {
      this.supersede(reply.bySession);
      return;
    }
    this.suspend();
    this.tell({ $case: 'sessionDead', value: { reason: reply.reason } });
    this.logger.warn('worker told that its session is dead', { reason: reply.reason });
  }

  private onCredit({ epoch, granted, prefetch }: Credit): void {
    if (this.epoch === undefined || epoch !== this.epoch) {
      return;
    }
    this.credit.grant(granted, prefetch);
    this.wakePools(() => true);
  }

  private onReports(reports: readonly WireReport[], hello: Hello): void {
    for (const { attempt, report } of reports) {
      if (attempt === undefined || report === undefined || !hello.pools.includes(attempt.pool)) {
        this.logger.warn('a report that makes no sense was dropped', { attempt: attempt?.ref });
      } else {
        this.deps.pools.of(attempt.pool).report(this, attempt.ref, report);
      }
    }
  }

  private async onGoodbye(hello: Hello): Promise<void> {
    this.leaving = true;
    this.suspend();
    await this.deps.farewell(hello.session, hello.workerId).catch((error: unknown) => {
      this.logger.warn('a Goodbye could not be registered; the session will be declared dead', { error });
    });
    this.end({ code: 'LEFT', detail: 'it said Goodbye' });
  }

  private wakePools(which: (pool: string) => boolean): void {
    for (const pool of this.openPools) {
      if (which(pool)) {
        this.deps.pools.of(pool).creditChanged();
      }
    }
  }

  private tell(message: Message): void {
    this.send({ message });
  }
}
