import type { Clock, Timer } from '@orchestrator/core';

import type { AuditEntry, AuditLog } from './audit-entry.js';

export interface RefusalsParams {
  audit: AuditLog;
  clock: Clock;
}

export const WINDOW_MS = 60_000;
/** Of each address, or token, in each window: what somebody who has mistyped one does. */
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
  /** By the name of the token, or else by the address: noise without a token hides nothing that is done with one. */
  readonly #seen = new Map<string, Seen>();
  #timer: Timer | undefined;

  constructor(params: RefusalsParams) {
    this.#params = params;
  }

  record(entry: AuditEntry): void {
    const key = entry.who === undefined ? this.#addressKey(entry.from) : `token ${entry.who}`;
    const count = (this.#seen.get(key)?.count ?? 0) + 1;
    this.#seen.set(key, { count, last: key === MANY ? { ...entry, from: MANY } : entry });
    if (count <= TOLD_ONE_BY_ONE) {
      this.#params.audit.record(entry);
    }
    this.#timer ??= this.#params.clock.setTimer(WINDOW_MS, () => this.tell());
  }

  #addressKey(from: string): string {
    return this.#seen.has(from) || this.#seen.size < MAX_ADDRESSES ? from : MANY;
  }

  /** Says of each how many more there were; a window begins anew. */
  tell(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { count, last } of this.#seen.values()) {
      const more = count - TOLD_ONE_BY_ONE;
      if (more > 0) {
        this.#params.audit.record({
          ...last,
          targets: [],
          detail: `${more} more were refused within a minute; this is the last`,
        });
      }
    }
    this.#seen.clear();
  }
}
