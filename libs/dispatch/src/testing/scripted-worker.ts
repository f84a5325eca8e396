import { systemClock, systemRandom, type Timer } from '@orchestrator/core';
import { createDeferred, type Deferred } from '@orchestrator/lifecycle';
import {
  type Assignment,
  type AttemptRef,
  FinishedAttempt,
  type HeldAttempt,
  HeldState,
  Hello,
  Outcome,
  type OutputAck,
  type OutputChunk,
  ReturnReason,
  VerdictKind,
  type WorkerMessage,
} from '@orchestrator/proto-types';

import type { Dispatch } from '../dispatch.js';
import { Outbox } from '../outbox.js';
import type { WorkerConnection } from '../worker-connection.js';
import type { CloseReason } from '../worker-link.js';
import { Inbox } from './inbox.js';

export interface ScriptedWorkerParams {
  id?: string;
  session?: string;
  pools?: string[];
  slots?: number;
}

/** A worker that does what a test says, on an in-memory link. It keeps to the protocol unless it is told not to. */
export class ScriptedWorker {
  readonly id: string;
  readonly session: string;
  readonly slots: number;
  readonly pools: string[];
  readonly inbox = new Inbox();
  /** What it was assigned under the current epoch and has not reported. */
  readonly held = new Map<string, Assignment>();
  epoch = 0;
  granted = 0;
  assigned = 0;
  helloNumber = 0;
  hasRun = false;
  private sequence = 0;
  private connection: WorkerConnection | undefined;
  private closed = createDeferred<CloseReason>();
  private obedient = false;
  private credit = 0;
  private beating: Timer | undefined;
  private keeping = false;
  /** What it finished and did not see recorded. */
  private readonly unrecorded = new Map<string, FinishedAttempt>();
  private schedulers: Dispatch[] = [];
  private automatic: ((assignment: Assignment) => void) | undefined;

  constructor(params: ScriptedWorkerParams = {}) {
    this.id = params.id ?? `worker-${systemRandom.hex(3)}`;
    this.session = params.session ?? systemRandom.hex(8);
    this.pools = params.pools ?? ['default'];
    this.slots = params.slots ?? 1;
  }

  /** Opens a stream and says nothing yet. */
  open(dispatch: Dispatch, outbox: Outbox = new Outbox()): this {
    this.closed = createDeferred();
    this.inbox.clear();
    const connection = dispatch.acceptWorker(outbox);
    this.connection = connection;
    void this.read(outbox, this.closed);
    return this;
  }

  /** Opens a stream, says Hello and waits for the Welcome. */
  async connect(dispatch: Dispatch): Promise<this> {
    this.open(dispatch);
    await this.greet();
    return this;
  }

  /** Says Hello with all that it holds and waits for the Welcome. */
  async greet(over: Partial<Hello> = {}): Promise<void> {
    this.hello(over);
    await this.welcomed();
  }

  hello(over: Partial<Hello> = {}): void {
    this.helloNumber = over.number ?? this.helloNumber + 1;
    const held = [...this.held.values()].map(({ attempt, number }): HeldAttempt => ({
      attempt,
      state: HeldState.RUNNING,
      number,
    }));
    for (const { attempt, number } of this.unrecorded.values()) {
      held.push({ attempt, state: HeldState.FINISHED, number });
    }
    const value = Hello.fromPartial({
      workerId: this.id,
      session: this.session,
      number: this.helloNumber,
      hasRun: this.hasRun,
      pools: this.pools,
      slots: this.slots,
      version: '0.1.0',
      host: 'test',
      pid: 1,
      held,
      ...over,
    });
    this.say({ $case: 'hello', value });
  }

  async welcomed(): Promise<void> {
    const welcome = await this.inbox.take('welcome', ({ helloNumber }) => helloNumber === this.helloNumber);
    this.epoch = welcome.epoch;
    this.hasRun = true;
    this.granted = 0;
    this.assigned = 0;
    this.sequence = 0;
    for (const { attempt, kind } of welcome.verdicts) {
      if (kind === VerdictKind.GONE && attempt !== undefined) {
        this.held.delete(attempt.attemptId);
        this.unrecorded.delete(attempt.attemptId);
      }
    }
    if (this.unrecorded.size > 0) {
      this.say({ $case: 'finished', value: { attempts: [...this.unrecorded.values()], packed: '' } });
    }
    this.lastVerdicts = welcome.verdicts.map(({ attempt, kind }) => `${attempt?.attemptId ?? ''} ${kind}`);
  }

  /** "attempt id, kind" of the last Welcome. */
  lastVerdicts: string[] = [];

  /** Grants so many more. */
  grant(jobs = 1, prefetch = 0): void {
    this.granted += jobs;
    this.say({ $case: 'credit', value: { epoch: this.epoch, granted: this.granted, prefetch } });
  }

  beat(acknowledged = this.sequence): void {
    this.sequence += 1;
    this.say({
      $case: 'heartbeat',
      value: {
        epoch: this.epoch,
        sequence: this.sequence,
        acknowledged,
        freeSlots: this.slots,
        load: 0,
        memoryUsedBytes: 1,
        memoryTotalBytes: 2,
      },
    });
  }

  /** The assignments of the next Assign. */
  async assignments(): Promise<Assignment[]> {
    return (await this.inbox.take('assign')).attempts;
  }

  async assignment(): Promise<Assignment> {
    const [first, ...more] = await this.assignments();
    if (first === undefined || more.length > 0) {
      throw new Error(`${more.length + 1} assignments in a frame, expected 1`);
    }
    return first;
  }

  finish(attempts: readonly Assignment[], over: Partial<FinishedAttempt> = {}): void {
    const finished = attempts.map(({ attempt, number }) =>
      FinishedAttempt.fromPartial({
        attempt: attempt!,
        number,
        outcome: Outcome.SUCCEEDED,
        exitCode: 0,
        retryable: true,
        ...over,
      }),
    );
    attempts.forEach(({ attempt }) => this.held.delete(attempt!.attemptId));
    if (this.keeping) {
      finished.forEach((one) => this.unrecorded.set(one.attempt!.attemptId, one));
    }
    this.say({ $case: 'finished', value: { attempts: finished, packed: '' } });
  }

  giveBack(assignment: Assignment, reason = ReturnReason.UNSTARTED, started = false): void {
    this.held.delete(assignment.attempt!.attemptId);
    this.say({ $case: 'returned', value: { attempts: [{ attempt: assignment.attempt, reason, started }] } });
  }

  async recorded(): Promise<AttemptRef[]> {
    return (await this.inbox.take('recorded')).attempts;
  }

  output(dispatch: Dispatch, chunks: OutputChunk[], signal = new AbortController().signal): Promise<OutputAck> {
    return dispatch.acceptOutput({ chunks }, signal);
  }

  /** From now on it finishes what it is assigned at once, and keeps its credit at `credit`. */
  work(credit: number, onStart: (assignment: Assignment) => void = () => undefined): void {
    this.automatic = onStart;
    this.keepReports();
    this.credit = credit;
    this.grant(credit);
  }

  /** From now on a result is kept until it is recorded: said in its Hello, and reported again. */
  keepReports(): void {
    this.keeping = true;
  }

  /** From now on it says Hello again whenever it is asked to, and then works on. */
  obey(): void {
    this.obedient = true;
  }

  /** From now on it moves to the next of these whenever it is told Reconnect, with all that it holds, and works on. */
  roam(schedulers: Dispatch[]): void {
    this.schedulers = schedulers;
  }

  beatEvery(ms: number): void {
    this.beating = systemClock.setTimer(ms, () => {
      this.beat();
      this.beatEvery(ms);
    });
  }

  stopBeating(): void {
    this.beating?.cancel();
  }

  goodbye(): void {
    this.say({ $case: 'goodbye', value: {} });
  }

  say(message: NonNullable<WorkerMessage['message']>): void {
    this.connection?.receive({ message });
  }

  /** As when the network breaks. */
  break(): void {
    this.connection?.end({ code: 'BROKEN', detail: 'cut by the test' });
  }

  /** Why the scheduler's side ended the stream. */
  get end(): Promise<CloseReason> {
    return this.closed.promise;
  }

  private async moveOn(): Promise<void> {
    this.break();
    const [next, ...others] = this.schedulers;
    this.schedulers = [...others, next as Dispatch];
    await this.connect(next as Dispatch);
    this.grant(this.credit);
  }

  private async read(outbox: Outbox, closed: Deferred<CloseReason>): Promise<void> {
    for await (const { message } of outbox) {
      if (message === undefined) {
        continue;
      }
      if (message.$case === 'assign' && message.value.epoch === this.epoch) {
        this.assigned += message.value.attempts.length;
        message.value.attempts.forEach((one) => this.held.set(one.attempt!.attemptId, one));
        if (this.automatic !== undefined) {
          message.value.attempts.forEach(this.automatic);
          this.finish(message.value.attempts);
          this.grant(message.value.attempts.length);
          continue;
        }
      }
      if (message.$case === 'recorded') {
        message.value.attempts.forEach(({ attemptId }) => this.unrecorded.delete(attemptId));
      }
      if (message.$case === 'recorded' && this.automatic !== undefined) {
        continue;
      }
      this.inbox.push(message);
      if (message.$case === 'reconnect' && this.schedulers.length > 0) {
        void this.moveOn();
        break;
      }
      if (message.$case === 'rehello' && this.obedient) {
        this.hello();
        void this.welcomed().then(() => this.grant(this.credit));
      }
    }
    closed.resolve(outbox.closeReason ?? { code: 'BROKEN', detail: '' });
  }
}
