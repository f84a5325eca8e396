import type { Logger } from '@orchestrator/telemetry';

import type { AuditEntry, AuditLog } from './audit-entry.js';
import { toAuditFields } from './audit-fields.js';

/** The audit log as lines of the log, at level info: those of one turn of the event loop together, before it ends. */
export class LogAuditLog implements AuditLog {
  readonly #logger: Logger;
  #waiting: AuditEntry[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  record(entry: AuditEntry): void {
    if (this.#waiting.push(entry) === 1) {
      process.nextTick(() => this.#write());
    }
  }

  #write(): void {
    const entries = this.#waiting;
    this.#waiting = [];
    for (const entry of entries) {
      this.#logger.info('audit', toAuditFields(entry));
    }
  }
}
