import type { Clock, Timer } from '@orchestrator/core';

import type { AuditEntry, AuditLog } from './audit-entry.js';

export interface RefusalsParams {
  audit: AuditLog;
  clock: Clock;
}

export const WINDOW_MS = 60_000;
/** Of each address in each window: what somebody who has mistyped a token does. */
export const TOLD_ONE_BY_ONE = 5;
/** Whoever has more addresses than that is counted as one. */
const MAX_ADDRESSES = 1_000;
const MANY = 'many addresses';

interface Seen {
  count: number;
  last: AuditEntry;
}

/** Refusals on their way to the audit log: ten thousand wrong tokens do not make ten thousand lines. */
export class Refusals {
  readonly #params: RefusalsParams;
  readonly #seen = new Map<string, Seen>();
  #timer: Timer | undefined;

  constructor(params: RefusalsParams) {
    this.#params = params;
  }

  record(entry: AuditEntry): void {
    const isKnown = this.#seen.has(entry.from) || this.#seen.size < MAX_ADDRESSES;
    const from = isKnown ? entry.from : MANY;
    const count = (this.#seen.get(from)?.count ?? 0) + 1;
    this.#seen.set(from, { count, last: entry });
    if (count <= TOLD_ONE_BY_ONE) {
      this.#params.audit.record(entry);
    }
    this.#timer ??= this.#params.clock.setTimer(WINDOW_MS, () => this.tell());
  }

  /** Says of each address how many more there were; a window begins anew. */
  tell(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const [from, { count, last }] of this.#seen) {
      const more = count - TOLD_ONE_BY_ONE;
      if (more > 0) {
        this.#params.audit.record({
          ...last,
          from,
          targets: [],
          detail: `${more} more were refused within a minute; this is the last`,
        });
      }
    }
    this.#seen.clear();
  }
}
