import type { Logger } from '@orchestrator/telemetry';

import type { AuditEntry, AuditLog } from './audit-entry.js';
import { toAuditFields } from './audit-fields.js';

/** The audit log as lines of the log, at level info. */
export class LogAuditLog implements AuditLog {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  record(entry: AuditEntry): void {
    this.#logger.info('audit', toAuditFields(entry));
  }
}
