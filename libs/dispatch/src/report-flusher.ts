import type { AttemptRef } from '@orchestrator/proto-types';
import { MAX_TURN, type SettleVerdict, StaleCallError, StoreUnavailableError } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { Assignee } from './assignee.js';
import { packFrames } from './pack-frames.js';
import { ReportBuffer, type ReportEntry } from './report-buffer.js';

/** Whether there is more, or that it should be tried again later. */
export type FlushState = 'empty' | 'more' | 'failed';

export interface ReportFlusherParams<Report> {
  pool: string;
  /** As in "settlement". */
  what: string;
  logger: Logger;
  send(reports: readonly Report[]): Promise<SettleVerdict[]>;
  bytesOf(report: Report): number;
  /** What the store has to do for it: 1, or more. */
  weightOf(report: Report): number;
  onVerdict(verdict: SettleVerdict): void;
}

/** After so many refusals of an entry sent alone it is dropped; its worker still has it. */
const MAX_REFUSALS = 3;
const REFS_PER_FRAME = 1_000;

/**
 * Brings what workers report into the store, a batch a call, and tells them `Recorded` afterwards. What was not answered
 * stays and is repeated; the store knows it again. A batch that is refused as a whole is sent one by one, so that one bad
 * entry holds up nobody.
 */
export class ReportFlusher<Report> {
  private readonly buffer = new ReportBuffer<Report>();
  private readonly overflowed = new Set<Assignee>();
  private alone = 0;
  private isLate = false;

  constructor(private readonly params: ReportFlusherParams<Report>) {}

  get size(): number {
    return this.buffer.size;
  }

  /** Those that no call carries. */
  get unsent(): number {
    return this.buffer.unsent;
  }

  /** Bounded: what finds no room is left with the worker, which is asked for it again when there is some. */
  add(from: Assignee, ref: AttemptRef, report: Report): void {
    const [bytes, weight] = [this.params.bytesOf(report), this.params.weightOf(report)];
    if (!this.buffer.add({ from, ref, report, bytes, weight, refusals: 0, isSent: false })) {
      this.overflowed.add(from);
    }
  }

  /** A batch was refused as a whole: its entries are sent one by one, and nothing else with them. */
  get isCautious(): boolean {
    return this.alone > 0;
  }

  /** One call at most. Default: by the `send` of this flusher. */
  async flush(send?: ReportFlusherParams<Report>['send']): Promise<FlushState> {
    const batch = this.buffer.send(this.alone > 0 ? 1 : MAX_TURN);
    if (batch.length === 0) {
      return 'empty';
    }
    try {
      const reports = batch.map(({ report }) => report);
      const verdicts = await (send?.(reports) ?? this.params.send(reports));
      this.alone = Math.max(0, this.alone - 1);
      this.isLate = false;
      this.record(batch, verdicts);
    } catch (error) {
      this.buffer.unsend(batch);
      this.onFailure(batch, error);
      return 'failed';
    }
    this.askAgain();
    return this.buffer.unsent > 0 ? 'more' : 'empty';
  }

  private record(batch: readonly ReportEntry<Report>[], verdicts: readonly SettleVerdict[]): void {
    const byWorker = new Map<Assignee, AttemptRef[]>();
    for (const [index, entry] of batch.entries()) {
      const { from, ref } = entry;
      this.buffer.remove(entry);
      const refs = byWorker.get(from);
      if (refs === undefined) {
        byWorker.set(from, [ref]);
      } else {
        refs.push(ref);
      }
      const verdict = verdicts[index] ?? 'stale';
      this.params.onVerdict(verdict);
      if (verdict === 'stale') {
        this.params.logger.warn('a report of an attempt that no longer holds its job changed nothing', {
          code: 'stale_attempt',
          what: this.params.what,
          job: ref.jobId,
          attempt: ref.attemptId,
          fence: ref.fence,
          worker: from.worker,
          session: from.session,
        });
      }
    }
    for (const [from, refs] of byWorker) {
      for (const frame of packFrames(refs, () => 0, { maxEntries: REFS_PER_FRAME })) {
        from.recorded(frame);
      }
    }
  }

  private onFailure(batch: readonly ReportEntry<Report>[], error: unknown): void {
    const { pool, what, logger } = this.params;
    if (error instanceof StoreUnavailableError || error instanceof StaleCallError) {
      if (!this.isLate) {
        logger.warn('reports were not recorded; they are sent again', { pool, what, reports: batch.length, error });
      }
      this.isLate = true;
      return;
    }
    logger.error('the store refused reports', { pool, what, reports: batch.length, error });
    const [only] = batch;
    if (batch.length > 1) {
      this.alone = batch.length;
    } else if (only !== undefined && ++only.refusals >= MAX_REFUSALS) {
      logger.error('a report was given up; its worker still has it', { pool, what, job: only.ref.jobId });
      this.buffer.remove(only);
    }
  }

  private askAgain(): void {
    if (this.overflowed.size > 0 && this.buffer.hasRoom) {
      for (const assignee of this.overflowed) {
        assignee.rehello('there was no room for what it reported');
      }
      this.overflowed.clear();
    }
  }
}
