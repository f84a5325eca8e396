import type { AttemptRef } from '@orchestrator/proto-types';
import { MAX_BATCH } from '@orchestrator/queue';

import type { Assignee } from './assignee.js';

/** What a worker reported about one attempt, until the store has it. */
export interface ReportEntry<Report> {
  from: Assignee;
  ref: AttemptRef;
  report: Report;
  bytes: number;
  /** How often it was refused when it was sent alone. */
  refusals: number;
}

export interface ReportLimits {
  maxEntries: number;
  maxBytes: number;
  /** Of one batch, but for a single larger entry. */
  maxBatchBytes: number;
}

export const DEFAULT_REPORT_LIMITS: ReportLimits = {
  maxEntries: 10_000,
  maxBytes: 64 * 1024 * 1024,
  maxBatchBytes: 1024 * 1024,
};

/** Reports in order of arrival, one per attempt (a worker sends them again after each Hello), bounded. */
export class ReportBuffer<Report> {
  private readonly entries = new Map<string, ReportEntry<Report>>();
  private bytes = 0;

  constructor(private readonly limits: ReportLimits = DEFAULT_REPORT_LIMITS) {}

  get size(): number {
    return this.entries.size;
  }

  get hasRoom(): boolean {
    return this.entries.size < this.limits.maxEntries / 2 && this.bytes < this.limits.maxBytes / 2;
  }

  /** False: there was no room, it was not taken. */
  add(entry: ReportEntry<Report>): boolean {
    const { attemptId } = entry.ref;
    const earlier = this.entries.get(attemptId);
    const bytes = this.bytes + entry.bytes - (earlier?.bytes ?? 0);
    const isFull = earlier === undefined && this.entries.size >= this.limits.maxEntries;
    if (isFull || (bytes > this.limits.maxBytes && this.entries.size > 0)) {
      return false;
    }
    this.entries.set(attemptId, entry);
    this.bytes = bytes;
    return true;
  }

  /** The oldest ones, as many as one call takes. They stay until `remove`. */
  next(maxEntries: number = MAX_BATCH): ReportEntry<Report>[] {
    const batch: ReportEntry<Report>[] = [];
    let bytes = 0;
    for (const entry of this.entries.values()) {
      bytes += entry.bytes;
      if (batch.length >= maxEntries || (batch.length > 0 && bytes > this.limits.maxBatchBytes)) {
        break;
      }
      batch.push(entry);
    }
    return batch;
  }

  /** One that was replaced meanwhile stays: it is answered to whoever sent it last. */
  remove(entry: ReportEntry<Report>): void {
    if (this.entries.get(entry.ref.attemptId) === entry) {
      this.entries.delete(entry.ref.attemptId);
      this.bytes -= entry.bytes;
    }
  }
}
