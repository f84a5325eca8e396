import {
  type FinishedAttempt,
  type HeldAttempt,
  HeldState,
  type ReturnedAttempt,
  type WorkerMessage,
} from '@orchestrator/proto-types';

import type { Attempts } from './attempts.js';
import { takeFrame } from './frames.js';

type Report = { kind: 'finished'; value: FinishedAttempt } | { kind: 'returned'; value: ReturnedAttempt };

const OVERHEAD_BYTES = 256;

/**
 * What became of attempts, kept until the scheduler says `Recorded`: sent once on each link, again on the next one.
 * Returned goes before Finished, because it frees work for others.
 */
export class KeptReports {
  private readonly kept = new Map<string, Report>();
  private readonly returned: string[] = [];
  private readonly finished: string[] = [];

  get size(): number {
    return this.kept.size;
  }

  get hasUnsent(): boolean {
    return this.returned.length > 0 || this.finished.length > 0;
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
    this.keep(value.attempt?.attemptId ?? '', { kind: 'finished', value });
  }

  keepReturned(value: ReturnedAttempt): void {
    this.keep(value.attempt?.attemptId ?? '', { kind: 'returned', value });
  }

  /** It is durable, or will never be accepted. */
  forget(attemptId: string): void {
    this.kept.delete(attemptId);
  }

  /** A new link: everything that is kept goes out again, in its order. */
  resendAll(): void {
    this.returned.length = 0;
    this.finished.length = 0;
    for (const [id, report] of this.kept) {
      this[report.kind].push(id);
    }
  }

  /** The next frame and whom it is about; they count as sent. */
  nextFrame(): { message: WorkerMessage; attemptIds: string[] } | undefined {
    const returned = this.take('returned');
    if (returned.length > 0) {
      const attempts = returned.map(([, value]) => value);
      return {
        message: { message: { $case: 'returned', value: { attempts } } },
        attemptIds: returned.map(([id]) => id),
      };
    }
    const finished = this.take('finished');
    if (finished.length > 0) {
      const attempts = finished.map(([, value]) => value);
      return {
        message: { message: { $case: 'finished', value: { attempts } } },
        attemptIds: finished.map(([id]) => id),
      };
    }
    return undefined;
  }

  private keep(attemptId: string, report: Report): void {
    this.kept.set(attemptId, report);
    this[report.kind].push(attemptId);
  }

  private take(kind: 'finished'): [string, FinishedAttempt][];
  private take(kind: 'returned'): [string, ReturnedAttempt][];
  private take(kind: Report['kind']): [string, Report['value']][] {
    while (this[kind].length > 0) {
      const ids = takeFrame(this[kind], (id) => bytesOf(this.kept.get(id)));
      const reports = ids.flatMap((id) => {
        const report = this.kept.get(id);
        return report?.kind === kind ? [[id, report.value] as [string, Report['value']]] : [];
      });
      if (reports.length > 0) {
        return reports;
      }
    }
    return [];
  }
}

function bytesOf(report: Report | undefined): number {
  if (report?.kind !== 'finished') {
    return OVERHEAD_BYTES;
  }
  const { failureMessage, resultJson = '', output } = report.value;
  const text = Buffer.byteLength(failureMessage) + Buffer.byteLength(resultJson);
  return output.reduce((sum, chunk) => sum + OVERHEAD_BYTES + chunk.data.length, OVERHEAD_BYTES + text);
}
