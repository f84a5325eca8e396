import {
  type Finished,
  type FinishedAttempt,
  type HeldAttempt,
  HeldState,
  isPlainEnd,
  packEnds,
  type ReturnedAttempt,
  type WorkerMessage,
} from '@orchestrator/proto-types';

import type { Attempts } from './attempts.js';
import { takeFrame } from './frames.js';

interface Kept<Value> {
  attemptId: string;
  value: Value;
  /** Recorded, or replaced by another report. */
  isForgotten: boolean;
}
type Report = ({ kind: 'finished' } & Kept<FinishedAttempt>) | ({ kind: 'returned' } & Kept<ReturnedAttempt>);

const OVERHEAD_BYTES = 256;

/**
 * What became of attempts, kept until the scheduler says `Recorded`: sent once on each link, again on the next one.
 * Returned goes before Finished, because it frees work for others.
 */
export class KeptReports {
  private readonly kept = new Map<string, Report>();
  /** Not sent on this link. */
  private returned: Kept<ReturnedAttempt>[] = [];
  private finished: Kept<FinishedAttempt>[] = [];
  /** The scheduler understands plain ends as text. */
  isPacked = false;

  get size(): number {
    return this.kept.size;
  }

  /** For a Hello: what is kept of attempts that are not listed as such. */
  heldWithout(attempts: Attempts): HeldAttempt[] {
    return [...this.kept.values()].flatMap(({ kind, value }) => {
      const [state, number] = kind === 'finished' ? [HeldState.FINISHED, value.number] : [HeldState.RETURNED, 0];
      const listed = attempts.get(value.attempt?.attemptId ?? '') !== undefined;
      return listed ? [] : [{ attempt: value.attempt, state, number }];
    });
  }

  has(attemptId: string): boolean {
    return this.kept.has(attemptId);
  }

  keepFinished(value: FinishedAttempt): void {
    this.keep({ kind: 'finished', attemptId: value.attempt?.attemptId ?? '', value, isForgotten: false });
  }

  keepReturned(value: ReturnedAttempt): void {
    this.keep({ kind: 'returned', attemptId: value.attempt?.attemptId ?? '', value, isForgotten: false });
  }

  /** It is durable, or will never be accepted. */
  forget(attemptId: string): void {
    const report = this.kept.get(attemptId);
    if (report !== undefined) {
      report.isForgotten = true;
      this.kept.delete(attemptId);
    }
  }

  /** A new link: everything that is kept goes out again, in its order. */
  resendAll(): void {
    this.returned = [];
    this.finished = [];
    this.kept.forEach((report) => this.enqueue(report));
  }

  /** The next frame and whom it is about; they count as sent. */
  nextFrame(): { message: WorkerMessage; attemptIds: string[] } | undefined {
    const returned = take(this.returned, () => 0);
    if (returned.length > 0) {
      const attempts = returned.map(({ value }) => value);
      return { message: { message: { $case: 'returned', value: { attempts } } }, attemptIds: returned.map(toId) };
    }
    const finished = take(this.finished, bytesOf);
    if (finished.length > 0) {
      const value = this.toFinished(finished.map((one) => one.value));
      return { message: { message: { $case: 'finished', value } }, attemptIds: finished.map(toId) };
    }
    return undefined;
  }

  private toFinished(attempts: FinishedAttempt[]): Finished {
    if (!this.isPacked) {
      return { attempts, packed: '' };
    }
    const isPlain = attempts.map(isPlainEnd);
    return {
      attempts: attempts.filter((_, i) => !isPlain[i]),
      packed: packEnds(attempts.filter((_, i) => isPlain[i])),
    };
  }

  private keep(report: Report): void {
    this.forget(report.attemptId);
    this.kept.set(report.attemptId, report);
    this.enqueue(report);
  }

  private enqueue(report: Report): void {
    if (report.kind === 'finished') {
      this.finished.push(report);
    } else {
      this.returned.push(report);
    }
  }
}

/** A frame of what is still kept. The queue is changed. */
function take<Value>(queue: Kept<Value>[], bytes: (value: Value) => number): Kept<Value>[] {
  let frame: Kept<Value>[] = [];
  while (queue.length > 0 && frame.length === 0) {
    frame = takeFrame(queue, ({ value }) => OVERHEAD_BYTES + bytes(value)).filter(({ isForgotten }) => !isForgotten);
  }
  return frame;
}

function toId({ attemptId }: Kept<unknown>): string {
  return attemptId;
}

/** Beyond the overhead. */
function bytesOf({ failureMessage, resultJson = '', output }: FinishedAttempt): number {
  const text = Buffer.byteLength(failureMessage) + Buffer.byteLength(resultJson);
  return output.reduce((sum, chunk) => sum + OVERHEAD_BYTES + chunk.data.length, text);
}
