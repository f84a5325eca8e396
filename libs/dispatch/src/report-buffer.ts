import type { AttemptRef } from '@orchestrator/proto-types';
import { MAX_BATCH } from '@orchestrator/queue';

import type { Assignee } from './assignee.js';

/** What a worker reported about one attempt, until the store has it. */
export interface ReportEntry<Report> {
  from: Assignee;
  ref: AttemptRef;
  report: Report;
  bytes: number;
  /** What the store has to do for it: 1, or more. */
  weight: number;
  /** How often it was refused when it was sent alone. */
  refusals: number;
  /** It is on its way to the store. */
  isSent: boolean;
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
  private sent = 0;

  constructor(private readonly limits: ReportLimits = DEFAULT_REPORT_LIMITS) {}

  get size(): number {
    return this.entries.size;
  }

  /** Those that are not on their way. */
  get unsent(): number {
    return this.entries.size - this.sent;
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
    this.sent -= earlier?.isSent === true ? 1 : 0;
    this.entries.set(attemptId, entry);
    this.bytes = bytes;
    return true;
  }

  /** The oldest ones that are not on their way, as many as one call takes: now they are. They stay until `remove`. */
  send(maxWeight: number = MAX_BATCH): ReportEntry<Report>[] {
    const batch: ReportEntry<Report>[] = [];
    let [bytes, weight] = [0, 0];
    for (const entry of this.entries.values()) {
      if (entry.isSent) {
        continue;
      }
      bytes += entry.bytes;
      weight += entry.weight;
      if (batch.length > 0 && (weight > maxWeight || bytes > this.limits.maxBatchBytes)) {
        break;
      }
      batch.push(entry);
    }
    batch.forEach((entry) => (entry.isSent = true));
    this.sent += batch.length;
    return batch;
  }

  /** They did not arrive: to be sent again. */
  unsend(batch: readonly ReportEntry<Report>[]): void {
    for (const entry of batch) {
      this.sent -= this.isKept(entry) && entry.isSent ? 1 : 0;
      entry.isSent = false;
    }
  }

  /** One that was replaced meanwhile stays: it is answered to whoever sent it last. */
  remove(entry: ReportEntry<Report>): void {
    if (this.isKept(entry)) {
      this.entries.delete(entry.ref.attemptId);
      this.bytes -= entry.bytes;
      this.sent -= entry.isSent ? 1 : 0;
    }
  }

  private isKept(entry: ReportEntry<Report>): boolean {
    return this.entries.get(entry.ref.attemptId) === entry;
  }
}
