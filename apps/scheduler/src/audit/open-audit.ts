import { ConfigError } from '@orchestrator/config';
import type { Clock } from '@orchestrator/core';
import type { Service } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';

import type { SchedulerConfig } from '../config.js';
import type { AuditLog } from './audit-entry.js';
import { AuditFileError } from './audit-file.js';
import { FileAuditLog } from './file-audit-log.js';
import { LogAuditLog } from './log-audit-log.js';
import { Refusals } from './refusals.js';

export interface Audit {
  log: AuditLog;
  refusals: Refusals;
  /** Stopped when nobody can change anything any more. */
  service: Service;
  /** Entries that could not be kept. */
  lost(): number;
}

export interface AuditDeps {
  clock: Clock;
  logger: Logger;
  /** Takes the entries where there is no file for them. */
  entries: Logger;
}

/** The audit log that the configuration asks for. @throws {ConfigError} when its file cannot be used. */
export function openAudit(
  config: Pick<SchedulerConfig, 'audit' | 'log'>,
  { clock, logger, entries }: AuditDeps,
): Audit {
  const file = openFile(config, clock, logger);
  const log = file ?? new LogAuditLog(entries);
  const refusals = new Refusals({ audit: log, clock });
  return {
    log,
    refusals,
    lost: () => file?.lost ?? 0,
    service: {
      name: 'audit log',
      async start() {
        if (file === undefined && (config.log.level === 'warn' || config.log.level === 'error')) {
          logger.warn('changes are not written down: log.level leaves them out, and there is no audit.file');
        }
        await file?.start();
      },
      async stop() {
        refusals.tell();
        await file?.stop();
      },
    },
  };
}

function openFile(
  { audit: { file: path } }: Pick<SchedulerConfig, 'audit'>,
  clock: Clock,
  logger: Logger,
): FileAuditLog | undefined {
  try {
    return path === undefined ? undefined : new FileAuditLog({ path, clock, logger });
  } catch (error) {
    if (error instanceof AuditFileError) {
      throw new ConfigError([{ key: 'audit.file', value: JSON.stringify(path), rule: error.reason }]);
    }
    throw error;
  }
}
