import type { Clock, Random } from '@orchestrator/core';
import type { VersionWatch } from '@orchestrator/heartbeat';
import type { Hello, SchedulerMessage, Verdict } from '@orchestrator/proto-types';
import { StaleEpochError } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { DispatchCounters } from './counters.js';
import {
  askPoolLater,
  askUntilSure,
  type Greeted,
  type GreetingAnswer,
  type GreetingDeps,
  type PoolAnswer,
  type PoolHoldings,
} from './greeting.js';
import { HelloLine } from './hello-line.js';
import { toVerdict } from './to-wire.js';
import type { CloseReason } from './worker-link.js';

export interface GreeterDeps extends GreetingDeps {
  clock: Clock;
  random: Random;
  logger: Logger;
  counters: DispatchCounters;
  version: string;
  versions: VersionWatch;
  heartbeatIntervalMs: number;
}

/** What a stream does with the answers to its Hellos. */
export interface GreetedStream {
  readonly logger: Logger;
  /** Undefined between a Hello and its Welcome. */
  readonly epoch: number | undefined;
  /** The epoch of this answer is current from now on; the Welcome follows. */
  serve(hello: Hello, greeted: Greeted): void;
  /** This pool was reconciled at the current epoch: its gate is open. */
  open(answer: PoolAnswer): void;
  /** It was told what became of attempts that it had named. */
  decided(verdicts: readonly Verdict[]): void;
  refuse(answer: Exclude<GreetingAnswer, Greeted | { status: 'stale_hello' | 'foreign' }>): void;
  drain(reason: string): void;
  reconnect(reason: string): void;
  tell(message: NonNullable<SchedulerMessage['message']>): void;
  end(reason: CloseReason): void;
}

/** A pool that could not be asked for so many heartbeat intervals: perhaps another scheduler reaches it. */
const UNASKED_INTERVALS = 2;

/** The side of a stream that answers Hellos, up to the Welcome and what has to be said after it. */
export class ConnectionGreeter {
  private readonly line: HelloLine;

  constructor(
    private readonly stream: GreetedStream,
    private readonly deps: GreeterDeps,
    private readonly signal: AbortSignal,
  ) {
    this.line = new HelloLine({ ...deps, signal, onAnswer: (hello, answer) => this.answered(hello, answer) });
  }

  push(hello: Hello): void {
    this.line.push(hello);
  }

  private answered(hello: Hello, answer: GreetingAnswer): void {
    if (answer.status === 'greeted') {
      const late = answer.unanswered.find(({ error }) => error instanceof StaleEpochError);
      if (late === undefined) {
        this.welcome(hello, answer);
      } else {
        this.endStale((late.error as Error).message);
      }
    } else if (answer.status === 'stale_hello') {
      this.endStale(`Hello ${hello.number} is not higher than ${answer.highest}, the highest seen`);
    } else if (answer.status === 'foreign') {
      this.stream.end({
        code: 'FOREIGN',
        detail: `the session of this Hello is not one of worker "${hello.workerId}"`,
      });
    } else {
      this.stream.refuse(answer);
    }
  }

  private welcome(hello: Hello, greeted: Greeted): void {
    const { stream } = this;
    const { epoch, draining, answers, unanswered } = greeted;
    const { heartbeatIntervalMs, leaseMs, schedulerId, version: schedulerVersion } = this.deps;
    stream.serve(hello, greeted);
    const verdicts = allVerdicts(greeted);
    stream.tell({
      $case: 'welcome',
      value: {
        helloNumber: hello.number,
        epoch,
        heartbeatIntervalMs,
        leaseMs,
        schedulerId,
        verdicts,
        schedulerVersion,
        packed: true,
      },
    });
    const requeued = answers.reduce((sum, answer) => sum + answer.requeued, 0);
    this.deps.versions.saw('worker', hello.workerId, hello.version);
    stream.logger.info('worker welcomed', { epoch, hello: hello.number, held: hello.held.length, requeued });
    if (draining && !hello.draining) {
      stream.drain('asked for while it was away');
    }
    for (const answer of answers) {
      this.open(hello, epoch, answer);
    }
    for (const { holdings } of unanswered) {
      void this.askLater(hello, epoch, holdings);
    }
  }

  private open(hello: Hello, epoch: number, answer: PoolAnswer): void {
    const { pool, adopted, unsure } = answer;
    if (adopted > 0) {
      this.deps.counters.adopted += adopted;
      this.stream.logger.warn('attempts were adopted: the store had lost that they were claimed', { pool, adopted });
    }
    this.stream.open(answer);
    if (unsure.refs.length > 0) {
      void this.askUntilSure(hello, epoch, unsure);
    }
  }

  /** What is frozen goes on, or is killed, when the pool knows who has it: at the end of its recovery. */
  private async askUntilSure(hello: Hello, epoch: number, unsure: PoolHoldings): Promise<void> {
    const { stream, signal } = this;
    stream.logger.info('what is frozen waits for the end of the recovery of its pool', {
      pool: unsure.pool,
      frozen: unsure.refs.length,
    });
    const isWanted = (): boolean => stream.epoch === epoch;
    const onVerdicts = (verdicts: Verdict[]): void => {
      stream.tell({ $case: 'held', value: { helloNumber: hello.number, verdicts } });
      stream.decided(verdicts);
    };
    const session = { session: hello.session, worker: hello.workerId, epoch };
    try {
      await askUntilSure({ ...this.deps, signal, isWanted, onVerdicts }, session, unsure);
    } catch (error) {
      if (isWanted()) {
        this.endStale((error as Error).message);
      }
    }
  }

  /** A pool that could not be asked at the Welcome: its attempts are answered by `Held` as soon as it can. */
  private async askLater(hello: Hello, epoch: number, holdings: PoolHoldings): Promise<void> {
    const { stream, signal } = this;
    const isWanted = (): boolean => stream.epoch === epoch;
    const session = { session: hello.session, worker: hello.workerId, epoch };
    const tellToMove = this.moveLater(holdings.pool, isWanted);
    try {
      const answer = await askPoolLater({ ...this.deps, signal, isWanted }, session, holdings);
      if (answer !== undefined) {
        stream.tell({ $case: 'held', value: { helloNumber: hello.number, verdicts: answer.verdicts } });
        this.open(hello, epoch, answer);
      }
    } catch (error) {
      if (isWanted()) {
        this.endStale((error as Error).message);
      }
    } finally {
      tellToMove.cancel();
    }
  }

  /** A session whose scheduler cannot reach the pool is told Reconnect. Not all of them in the same moment. */
  private moveLater(pool: string, isWanted: () => boolean): { cancel(): void } {
    const { clock, random, heartbeatIntervalMs } = this.deps;
    return clock.setTimer((UNASKED_INTERVALS + random.next()) * heartbeatIntervalMs, () => {
      if (isWanted()) {
        this.stream.logger.warn('worker told to move: its pool cannot be asked from here', { pool });
        this.stream.reconnect(`pool "${pool}" cannot be asked from here`);
      }
    });
  }

  private endStale(detail: string): void {
    this.deps.counters.staleEpochs += 1;
    this.stream.end({ code: 'STALE_HELLO', detail });
  }
}

function allVerdicts({ answers, foreign, unanswered }: Greeted): Verdict[] {
  const unknown = unanswered.flatMap(({ holdings }) => holdings.refs.map((ref) => toVerdict(ref, 'unknown')));
  return [...answers.flatMap((answer) => answer.verdicts), ...foreign, ...unknown];
}
