import type {
  AttemptRef,
  Credit,
  Heartbeat,
  Hello,
  SchedulerMessage,
  Verdict,
  WorkerMessage,
} from '@orchestrator/proto-types';
import { VerdictKind } from '@orchestrator/proto-types';
import type { ClaimedJob, PendingOrder, Settlement } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { Assignee, Offer } from './assignee.js';
import { ConnectionGreeter, type GreetedStream, type GreeterDeps } from './connection-greeter.js';
import { type BeatingStream, ConnectionHeartbeats, type HeartbeatDeps } from './connection-heartbeats.js';
import { ConnectionWork } from './connection-work.js';
import type { Connections } from './connections.js';
import { toReports, type WireReport } from './from-wire.js';
import { checkHello, type Greeted, type PoolAnswer } from './greeting.js';
import { MessageBudget, type MessageLimits, PULSE_LIMITS } from './message-budget.js';
import { HELLO_WITHIN_MS, HelloGuard } from './hello-guard.js';
import type { PoolDispatchers } from './pool-dispatchers.js';
import { toAssignMessages, toCancelMessage, toRecorded, toRef } from './to-wire.js';
import type { WedgeSample } from './wedge-watch.js';
import type { CloseReason, WorkerLink } from './worker-link.js';

export interface WorkerConnectionDeps extends GreeterDeps, HeartbeatDeps {
  pools: PoolDispatchers;
  connections: Connections;
  /** Default `DEFAULT_MESSAGE_LIMITS`. */
  messageLimits?: MessageLimits | undefined;
  /** Records that a session has left after a drain. */
  farewell(session: string, worker: string): Promise<void>;
}

/** Reports of attempts that it neither holds nor was given: so many of a worker are taken for a mistake. */
const MAX_STRANGE_REPORTS = 1_000;

type Message = NonNullable<SchedulerMessage['message']>;

/**
 * One stream of one worker, from its first Hello to its end. There is a current epoch only between a Welcome and the next
 * Hello, Rehello or end; without one nothing is claimed for it, and what names another epoch is dropped. The end of the
 * stream makes the session suspect and no more: its jobs wait.
 */
export class WorkerConnection implements Assignee, GreetedStream, BeatingStream {
  logger: Logger;
  private hello: Hello | undefined;
  private currentEpoch: number | undefined;
  private welcomedMs = 0;
  private draining = false;
  /** It said Goodbye; the stream ends when that is registered. */
  private leaving = false;
  private drainTold = false;
  private moving = false;
  private readonly ended = new AbortController();
  private readonly work: ConnectionWork;
  private readonly budget: MessageBudget;
  private readonly pulse: MessageBudget;
  private readonly hellos: HelloGuard;
  private readonly greeter: ConnectionGreeter;
  private readonly heartbeats: ConnectionHeartbeats;

  constructor(
    private readonly link: WorkerLink,
    private readonly deps: WorkerConnectionDeps,
  ) {
    this.logger = deps.logger;
    this.work = new ConnectionWork(this, deps.pools);
    this.budget = new MessageBudget(deps.clock, deps.messageLimits);
    this.pulse = new MessageBudget(deps.clock, PULSE_LIMITS);
    this.hellos = new HelloGuard(deps.clock, () => {
      this.end({ code: 'PROTOCOL', detail: `it said no Hello within ${HELLO_WITHIN_MS} ms` });
    });
    this.greeter = new ConnectionGreeter(this, deps, this.ended.signal);
    this.heartbeats = new ConnectionHeartbeats(this, deps);
    deps.connections.add(this);
  }

  get session(): string {
    return this.hello?.session ?? '';
  }

  get worker(): string {
    return this.hello?.workerId ?? '';
  }

  get epoch(): number | undefined {
    return this.currentEpoch;
  }

  get isServing(): boolean {
    return this.currentEpoch !== undefined;
  }

  /** By the monotonic clock; of the last Welcome. */
  get welcomedAtMs(): number {
    return this.welcomedMs;
  }

  get isDraining(): boolean {
    return this.draining;
  }

  /** It was told to go to another scheduler. */
  get isMoving(): boolean {
    return this.moving;
  }

  private get isPacked(): boolean {
    return this.hello?.packed === true;
  }

  /** How many attempts it is believed to have. */
  get load(): number {
    return this.work.size;
  }

  /** Takes one message of the worker. Never waits and never throws. */
  receive({ message }: WorkerMessage): void {
    if (this.ended.signal.aborted || message === undefined) {
      return;
    }
    const isPulse = message.$case === 'hello' || message.$case === 'heartbeat';
    const exceeded = [this.budget, ...(isPulse ? [this.pulse] : [])].find((budget) => !budget.take());
    if (exceeded !== undefined) {
      const what = exceeded === this.pulse ? 'Hellos and heartbeats' : 'messages';
      this.end({ code: 'FLOODING', detail: `more than ${exceeded.limits.perSecond} ${what} a second` });
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
        this.heartbeats.receive(message.value);
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
    this.hellos.close();
    this.suspend();
    this.deps.connections.remove(this);
    this.link.close(reason);
    const { code, detail } = reason;
    const { counters } = this.deps;
    counters.slowConsumers += code === 'SLOW_CONSUMER' ? 1 : 0;
    counters.floods += code === 'FLOODING' ? 1 : 0;
    const isFault = code === 'SLOW_CONSUMER' || code === 'FLOODING' || code === 'PROTOCOL' || code === 'FOREIGN';
    this.logger[isFault ? 'warn' : 'info']('worker disconnected', { code, detail });
  }

  // ---- as a pool sees it

  offer(pool: string): Offer | undefined {
    const { epoch } = this;
    const share = epoch === undefined || this.draining ? undefined : this.work.share(pool);
    return epoch === undefined || share === undefined ? undefined : { ...share, epoch };
  }

  reserve(pool: string, jobs: number): void {
    this.work.reserve(pool, jobs);
  }

  assign(pool: string, epoch: number, reserved: number, jobs: readonly ClaimedJob[]): void {
    if (epoch !== this.epoch) {
      // Its next Hello brings them back: they are owned under a lower epoch and not held.
      return;
    }
    this.work.take(reserved, jobs);
    for (const message of toAssignMessages(pool, epoch, jobs, this.isPacked)) {
      this.send(message);
    }
    this.work.wakeOthers(pool);
  }

  recorded(attempts: readonly AttemptRef[]): void {
    // Its Hello may have named them in between, as what it holds.
    this.work.forget(attempts.map(({ attemptId }) => attemptId));
    this.tell({ $case: 'recorded', value: toRecorded(attempts, this.isPacked) });
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

  // ---- orders that are not about a pool

  drain(reason: string): void {
    this.draining = true;
    if (!this.drainTold) {
      this.drainTold = true;
      this.tell({ $case: 'drain', value: { reason } });
    }
  }

  reconnect(reason: string): void {
    this.moving = true;
    this.draining = true;
    this.tell({ $case: 'reconnect', value: { reason } });
  }

  supersede(bySession: string): void {
    this.suspend();
    this.tell({ $case: 'superseded', value: { bySession } });
    this.logger.warn('worker superseded: a newer process has its id', { bySession });
  }

  refuse(reply: { status: 'session_dead'; reason: string } | { status: 'superseded'; bySession: string }): void {
    if (reply.status === 'superseded') {
      this.supersede(reply.bySession);
      return;
    }
    this.suspend();
    this.tell({ $case: 'sessionDead', value: { reason: reply.reason } });
    this.logger.warn('worker told that its session is dead', { reason: reply.reason });
  }

  // ---- what its Hellos and heartbeats lead to

  serve(hello: Hello, { epoch, draining, answers, unanswered }: Greeted): void {
    this.currentEpoch = epoch;
    this.welcomedMs = this.deps.clock.monotonicMs();
    this.draining = draining;
    this.moving = false;
    if (draining && !hello.draining) {
      this.drainTold = false;
    }
    const heldNow = [
      ...idsOf(answers.flatMap(({ verdicts }) => verdicts.filter(({ kind }) => kind !== VerdictKind.GONE))),
      ...unanswered.flatMap(({ holdings }) => holdings.refs.map(({ attemptId }) => attemptId)),
    ];
    this.work.restart(heldNow, hello.slots);
    this.heartbeats.restart();
    this.deps.connections.welcomed(this);
  }

  open({ pool, orders, verdicts }: PoolAnswer): void {
    // Of a pool that could not be asked at the Welcome it was believed to hold all that it named.
    this.decided(verdicts);
    this.order(pool, orders);
    this.work.open(pool);
  }

  decided(verdicts: readonly Verdict[]): void {
    this.work.forget(idsOf(verdicts.filter(({ kind }) => kind === VerdictKind.GONE)));
  }

  sample({ freeSlots }: Heartbeat): WedgeSample {
    return this.work.sample({ slots: this.hello?.slots ?? 0, freeSlots, draining: this.draining });
  }

  superseded(session: string): void {
    this.deps.connections.get(session)?.supersede(this.session);
  }

  tell(message: Message): void {
    this.send({ message });
  }

  private onHello(hello: Hello): void {
    try {
      checkHello(hello);
    } catch (error) {
      this.end({ code: 'PROTOCOL', detail: (error as Error).message });
      return;
    }
    const refusal = this.hellos.refuse(hello);
    if (refusal !== undefined) {
      this.end(refusal);
      return;
    }
    this.suspend();
    if (this.hello !== undefined && this.hello.session !== hello.session) {
      this.deps.connections.remove(this);
      this.deps.connections.add(this);
    }
    this.hello = hello;
    this.logger = this.deps.logger.child({ worker: hello.workerId, session: hello.session });
    this.greeter.push(hello);
  }

  /** No epoch is current any more. */
  private suspend(): void {
    this.currentEpoch = undefined;
    this.work.closePools();
  }

  private onCredit({ epoch, granted, prefetch }: Credit): void {
    if (this.epoch === undefined || epoch !== this.epoch) {
      return;
    }
    this.work.grant(granted, prefetch);
  }

  private onReports(reports: readonly WireReport[], hello: Hello): void {
    const { session, worker } = this;
    let holder: Settlement['holder'];
    const most = hello.held.length + MAX_STRANGE_REPORTS;
    for (const { attempt, report, number } of reports) {
      if (this.work.strangeReports > most) {
        this.end({ code: 'FLOODING', detail: `it has reported more than ${most} attempts that it was not given` });
        return;
      }
      if (attempt === undefined || report === undefined || !hello.pools.includes(attempt.pool)) {
        this.logger.warn('a report that makes no sense was dropped', { attempt: attempt?.ref });
        this.work.reportedNonsense();
        continue;
      }
      // Who knows the name of an attempt of another session must not end it.
      report.by = session;
      // A job that the store believes unowned is taken back from a lost tail only by whom we know to have it.
      if (this.work.reported(attempt.key.attemptId) && 'outcome' in report) {
        holder = holder?.number === number ? holder : { session, worker, number };
        report.holder = holder;
      }
      this.deps.pools.of(attempt.pool).report(this, attempt.ref, report);
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
}

function idsOf(verdicts: readonly Verdict[]): string[] {
  return verdicts.flatMap(({ attempt }) => attempt?.attemptId ?? []);
}
