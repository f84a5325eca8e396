import type { Timer } from '@orchestrator/core';
import {
  type Beat,
  HEARTBEAT_INTERVAL_MS,
  HeartbeatSender,
  SILENT_INTERVALS,
  VersionWatch,
} from '@orchestrator/heartbeat';
import { createDeferred } from '@orchestrator/lifecycle';
import type {
  Credit,
  OutputMark,
  OutputMessage,
  SchedulerMessage,
  Verdict,
  Welcome,
  WorkerMessage,
} from '@orchestrator/proto-types';

import { AttemptFlow } from './attempt-flow.js';
import { CreditLedger } from './credit.js';
import { FrozenAttempts } from './frozen-attempts.js';
import { KeptReports } from './kept-reports.js';
import { Lease } from './lease.js';
import { assignmentsOf, Orders } from './orders.js';
import { OutputSender } from './output-sender.js';
import type { AttemptRunner } from './runner.js';
import { forwardedTo, RunnerReports } from './runner-reports.js';
import { ServiceTime } from './service-time.js';
import type { SessionEnd, WorkerSessionParams } from './session-params.js';
import { toHello } from './to-proto.js';

/**
 * - `unlinked`: no stream.
 * - `hello_due`: the next thing that is sent is a Hello.
 * - `greeting`: a Hello was sent, its own Welcome has not come: no epoch is current, and nothing is sent.
 * - `welcomed`: the epoch of that Welcome is current.
 * - `over`: everything was killed; nothing is sent or heard any more.
 */
type Phase = 'unlinked' | 'hello_due' | 'greeting' | 'welcomed' | 'over';

/** One session of a worker: the worker's side of the protocol, whatever carries it. */
export class WorkerSession {
  readonly id: string;
  readonly flow: AttemptFlow;
  readonly runner: AttemptRunner;
  private readonly lease: Lease;
  private readonly reports = new KeptReports();
  private readonly serviceTime: ServiceTime;
  private readonly credit = new CreditLedger();
  private readonly output: OutputSender;
  private readonly orders: Orders;
  private readonly told: RunnerReports;
  private readonly frozen: FrozenAttempts;
  private readonly versions: VersionWatch;
  private readonly end = createDeferred<SessionEnd>();
  private phase: Phase = 'unlinked';
  private epoch = 0;
  private helloNumber = 0;
  private helloSentAtUptimeMs = 0;
  private hasRun = false;
  private draining = false;
  private goodbyeIsDue = false;
  private readonly goodbyeSaid = createDeferred();
  /** Until the first Welcome says otherwise. */
  private intervalMs = HEARTBEAT_INTERVAL_MS;
  private leaseMs = 0;
  private welcomeTimer: Timer | undefined;
  private heartbeats: HeartbeatSender | undefined;
  /** The one to send next; a later one replaces it. */
  private beat: Beat | undefined;

  constructor(private readonly params: WorkerSessionParams) {
    const { id, identity, clock, logger, link } = params;
    const { reports } = this;
    const serviceTime = (this.serviceTime = new ServiceTime(identity.slots));
    this.id = id;
    this.versions = new VersionWatch(identity.version, logger);
    const lease = (this.lease = new Lease(params.uptimeMs));
    const events = forwardedTo(() => this.told, this.someFroze.bind(this));
    const runner = (this.runner = params.createRunner(id, events));
    const output = (this.output = new OutputSender({
      clock,
      onReady: () => link.wakeOutput(),
      onAcknowledged: (attemptId, stream, end) => runner.acknowledgeOutput(attemptId, stream, end),
    }));
    const onChange = (): void => this.changed();
    const onStalled = (): void => this.stalled();
    const shared = { clock, runner, reports, logger };
    const standby = (): number => serviceTime.prefetch;
    const flow = new AttemptFlow({ ...shared, slots: identity.slots, lease, output, standby, onChange, onStalled });
    this.flow = flow;
    this.told = new RunnerReports({ flow, output, serviceTime, clock, logger });
    this.frozen = new FrozenAttempts({ attempts: flow.attempts, runner, uptimeMs: params.uptimeMs });
    this.orders = new Orders({ ...shared, flow });
  }

  /** Resolves when the session is over and everything it ran is dead. */
  get ended(): Promise<SessionEnd> {
    return this.end.promise;
  }

  get worker(): string {
    return this.params.identity.workerId;
  }

  /** Nothing runs, and all that ran is recorded. */
  get isEmpty(): boolean {
    return !this.flow.isBusy && this.reports.size === 0;
  }

  get isWelcomed(): boolean {
    return this.phase === 'welcomed';
  }

  /** There is a stream to a scheduler, welcomed on it or not yet. */
  get isLinked(): boolean {
    return this.phase !== 'unlinked' && this.phase !== 'over';
  }

  /** A stream is there: the first thing on it is a Hello. */
  attach(): void {
    if (this.phase !== 'over') {
      this.output.resendAll();
      this.greet();
    }
  }

  detach(): void {
    if (this.phase !== 'over') {
      this.quiet('unlinked');
    }
  }

  /** Takes nothing new from now on. Credit is never taken back, so it says Hello again, which ends what was granted. */
  drain(): void {
    this.draining = true;
    this.flow.drain();
    if (this.phase === 'welcomed') {
      this.greet();
    }
    this.changed();
  }

  /** To be sent after everything else, a Hello that is under way included; resolves when it goes out. */
  sayGoodbye(): Promise<void> {
    this.goodbyeIsDue = true;
    this.params.link.wake();
    return this.goodbyeSaid.promise;
  }

  /**
   * The next message to send. Under a lease that has run out nothing goes out but a Hello: after a stop of this process
   * its timers and sockets fire in any order.
   */
  pull(): WorkerMessage | undefined {
    if (this.phase === 'welcomed' && !this.lease.valid) {
      this.params.logger.warn('the lease ran out without an acknowledgement; asking what is still ours');
      this.greet();
    }
    if (this.phase === 'hello_due') {
      return this.hello();
    }
    return this.phase === 'welcomed' ? this.next() : undefined;
  }

  pullOutput(): OutputMessage | undefined {
    return this.phase === 'welcomed' && this.lease.valid ? this.output.pull() : undefined;
  }

  outputAcknowledged(marks: readonly OutputMark[]): void {
    this.output.acknowledged(marks);
  }

  /** The output stream broke. */
  outputLost(): void {
    this.output.resendAll();
  }

  receive({ message }: SchedulerMessage): void {
    if (this.phase === 'over' || message === undefined) {
      return;
    }
    switch (message.$case) {
      case 'welcome':
        return this.welcome(message.value);
      case 'held':
        if (message.value.helloNumber === this.helloNumber && this.phase === 'welcomed') {
          this.answered(message.value.verdicts);
        }
        break;
      case 'heartbeatAck':
        this.heartbeats?.acknowledge(message.value.sequence);
        break;
      case 'assign':
        if (this.phase === 'welcomed' && message.value.epoch === this.epoch) {
          const assignments = assignmentsOf(message.value);
          this.credit.received(assignments.length);
          this.orders.assign(assignments);
        } else {
          this.params.logger.debug('dropped an assignment of another epoch', { epoch: message.value.epoch });
        }
        break;
      case 'recorded':
        this.orders.recorded(message.value);
        break;
      case 'cancel':
        this.orders.cancel(message.value.attempts);
        break;
      case 'abandon':
        this.orders.abandon(message.value.attempts);
        break;
      case 'rehello':
        this.params.logger.info('asked to say hello again', { reason: message.value.reason });
        this.greet();
        break;
      case 'drain':
        this.params.onDrain(message.value.reason);
        break;
      case 'reconnect':
        this.params.link.leave(message.value.reason);
        break;
      case 'sessionDead':
        return void this.finish({ kind: 'dead', reason: message.value.reason });
      case 'superseded':
        return void this.finish({ kind: 'superseded', bySession: message.value.bySession });
    }
    this.changed();
  }

  /** Kills everything and ends the runner; nothing is reported. */
  async close(): Promise<void> {
    this.quiet('over');
    await this.flow.killAll();
    await this.runner.stop();
  }

  private greet(): void {
    this.quiet('hello_due');
    this.awaitWelcome();
    this.params.link.wake();
  }

  /** Also while the Hello waits to be taken: heartbeats, which watch a link otherwise, are silent until its Welcome. */
  private awaitWelcome(): void {
    const { clock, link } = this.params;
    this.welcomeTimer = clock.setTimer(SILENT_INTERVALS * this.intervalMs, () => link.leave('no welcome'));
  }

  private quiet(phase: Phase): void {
    this.phase = phase;
    this.welcomeTimer?.cancel();
    void this.heartbeats?.stop();
    this.heartbeats = undefined;
    this.beat = undefined;
    this.credit.close();
  }

  private hello(): WorkerMessage {
    const { identity, id } = this.params;
    this.quiet('greeting');
    this.awaitWelcome();
    this.helloNumber += 1;
    this.helloSentAtUptimeMs = this.lease.now();
    this.frozen.asked(this.helloSentAtUptimeMs);
    const held = [...this.flow.attempts.held(), ...this.reports.heldWithout(this.flow.attempts)];
    const { helloNumber: number, hasRun, draining } = this;
    return toHello(identity, { session: id, number, hasRun, held, draining });
  }

  private welcome(welcome: Welcome): void {
    const { logger, link } = this.params;
    const { schedulerId: scheduler, schedulerVersion } = welcome;
    if (this.phase !== 'greeting' || welcome.helloNumber !== this.helloNumber) {
      logger.debug('ignored the welcome of another hello', { helloNumber: welcome.helloNumber });
      return;
    }
    this.quiet('welcomed');
    this.hasRun = true;
    this.epoch = welcome.epoch;
    this.intervalMs = welcome.heartbeatIntervalMs;
    this.leaseMs = welcome.leaseMs;
    this.renew(this.helloSentAtUptimeMs);
    this.credit.open(this.epoch);
    this.reports.isPacked = welcome.packed;
    this.reports.resendAll();
    this.answered(welcome.verdicts);
    this.startHeartbeats();
    link.welcomed();
    logger.info('welcomed by a scheduler', { scheduler, schedulerVersion, session: this.id, epoch: this.epoch });
    this.versions.saw('scheduler', scheduler, schedulerVersion);
    this.flow.startWaiting();
    this.changed();
    link.wakeOutput();
    this.askForFrozen();
  }

  private answered(verdicts: readonly Verdict[]): void {
    this.orders.verdicts(verdicts);
    this.frozen.answered(verdicts);
  }

  private someFroze(): void {
    this.frozen.frozen();
    this.askForFrozen();
  }

  /** Credit is never taken back: what is granted beyond the slots ends with a Hello, or it would all come and go in vain. */
  private stalled(): void {
    this.serviceTime.stalled();
    if (this.phase === 'welcomed' && this.credit.beyond(this.flow.freeSlots) > 0) {
      this.greet();
    }
  }

  private askForFrozen(): void {
    if (this.phase === 'welcomed' && this.frozen.mustAsk) {
      this.params.logger.info('asking whether what is frozen is still ours');
      this.greet();
    }
  }

  private startHeartbeats(): void {
    const { clock, uptimeMs, link, logger } = this.params;
    this.heartbeats = new HeartbeatSender({
      intervalMs: this.intervalMs,
      clock,
      boottimeMs: uptimeMs,
      send: (beat) => {
        this.beat = beat;
        link.wake();
      },
      onConfirmed: (sentAtUptimeMs) => {
        this.renew(sentAtUptimeMs);
        if (this.frozen.mustAskAgain(this.intervalMs, this.leaseMs)) {
          logger.info('asking again whether what is frozen is still ours');
          this.greet();
        }
      },
      onTrouble: (trouble) => link.leave(`heartbeats are not acknowledged (${trouble})`),
    });
    void this.heartbeats.start();
  }

  private renew(sentAtUptimeMs: number): void {
    this.lease.grant(sentAtUptimeMs, this.leaseMs);
    this.runner.renewLease(sentAtUptimeMs, this.leaseMs);
  }

  private next(): WorkerMessage | undefined {
    const { beat } = this;
    if (beat !== undefined) {
      this.beat = undefined;
      const value = { ...beat, ...this.params.usage(), epoch: this.epoch, freeSlots: this.flow.freeSlots };
      return { message: { $case: 'heartbeat', value } };
    }
    const frame = this.reports.nextFrame();
    if (frame !== undefined) {
      this.flow.reportsSent(frame.attemptIds);
      return frame.message;
    }
    const credit = this.draining ? undefined : this.nextCredit();
    if (credit !== undefined) {
      return { message: { $case: 'credit', value: credit } };
    }
    if (this.goodbyeIsDue) {
      this.goodbyeIsDue = false;
      this.goodbyeSaid.resolve();
      return { message: { $case: 'goodbye', value: {} } };
    }
    return undefined;
  }

  private nextCredit(): Credit | undefined {
    return this.credit.next({
      freeSlots: this.flow.freeSlots,
      waiting: this.flow.unstarted,
      prefetch: this.serviceTime.prefetch,
    });
  }

  private async finish(end: SessionEnd): Promise<void> {
    this.params.logger.warn('this session is over', { session: this.id, ...end });
    this.quiet('over');
    try {
      await this.flow.killAll();
    } catch (error) {
      this.params.logger.error('killing everything failed', { error });
    }
    this.end.resolve(end);
  }

  private changed(): void {
    this.params.link.wake();
    this.params.onChange();
  }
}
