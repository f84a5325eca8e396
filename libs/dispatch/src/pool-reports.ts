import { createDeferred } from '@orchestrator/lifecycle';
import type { AttemptRef } from '@orchestrator/proto-types';
import type { ClaimReply, ClaimWant, GiveBack, QueueStore, Settlement } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';

import type { Assignee } from './assignee.js';
import type { DispatchCounters } from './counters.js';
import { type FlushState, ReportFlusher } from './report-flusher.js';

export interface PoolReportsDeps {
  store: Pick<QueueStore, 'claim' | 'settle' | 'turn' | 'giveBack'>;
  counters: DispatchCounters;
  logger: Logger;
}

const SMALL_REPORT_BYTES = 512;
/** Of an end with output, or after which the job goes on, and of a return, in terms of a plain end: see `MAX_TURN`. */
const LABORIOUS = 2;

/** What workers have reported of one pool and the store does not have yet. */
export class PoolReports {
  private readonly settlements: ReportFlusher<Settlement>;
  private readonly giveBacks: ReportFlusher<GiveBack>;

  constructor(
    private readonly pool: string,
    private readonly deps: PoolReportsDeps,
  ) {
    const { store, counters, logger } = deps;
    this.settlements = new ReportFlusher<Settlement>({
      pool,
      what: 'settlement',
      logger,
      send: (ends) => store.settle(pool, ends),
      bytesOf: settlementBytes,
      weightOf: settlementWeight,
      onVerdict: (verdict) => (verdict === 'stale' ? counters.staleAttempts++ : counters.settled++),
    });
    this.giveBacks = new ReportFlusher<GiveBack>({
      pool,
      what: 'return',
      logger,
      send: (returns) => store.giveBack(pool, returns),
      bytesOf: () => SMALL_REPORT_BYTES,
      weightOf: () => LABORIOUS,
      onVerdict: (verdict) => (verdict === 'stale' ? counters.staleAttempts++ : counters.returned++),
    });
  }

  get size(): number {
    return this.settlements.size + this.giveBacks.size;
  }

  /** Settlements that no call carries. */
  get unsent(): number {
    return this.settlements.unsent;
  }

  /** Settlements are sent one by one, and nothing with them: a batch of them was refused. */
  get isCautious(): boolean {
    return this.settlements.isCautious;
  }

  add(from: Assignee, ref: AttemptRef, report: Settlement | GiveBack): void {
    if ('outcome' in report) {
      this.settlements.add(from, ref, report);
    } else {
      this.giveBacks.add(from, ref, report);
    }
  }

  giveBack(): Promise<FlushState> {
    return this.giveBacks.flush();
  }

  settle(): Promise<FlushState> {
    return this.settlements.flush();
  }

  /**
   * A claim, made together with the settlements that wait, or alone where there is none. What is not answered has to be
   * taken as a claim without an answer; the settlements stay and are sent again.
   */
  async settleAndClaim(wants: readonly ClaimWant[]): Promise<{ claimed: ClaimReply; more: boolean }> {
    const { store } = this.deps;
    if (this.settlements.unsent === 0 || this.isCautious) {
      return { claimed: await store.claim(this.pool, wants), more: this.settlements.unsent > 0 };
    }
    const answer = createDeferred<ClaimReply>();
    // Whatever becomes of it is heard once: by who awaits the answer, below.
    answer.promise.catch(() => undefined);
    const state = await this.settlements.flush(async (ends) => {
      try {
        const { verdicts, claimed } = await store.turn(this.pool, ends, wants);
        answer.resolve(claimed);
        return verdicts;
      } catch (error) {
        answer.reject(error);
        throw error;
      }
    });
    return { claimed: await answer.promise, more: state === 'more' };
  }
}

function settlementBytes({ end, output }: Settlement): number {
  const result = end.result === undefined ? 0 : JSON.stringify(end.result).length;
  return SMALL_REPORT_BYTES + result + output.reduce((sum, { data }) => sum + data.length, 0);
}

function settlementWeight({ outcome, output }: Settlement): number {
  return outcome === 'succeeded' && output.length === 0 ? 1 : LABORIOUS;
}
