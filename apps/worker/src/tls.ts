import { resolve } from 'node:path';

import { ConfigError } from '@orchestrator/config';
import { type SchedulerTls, SchedulerTlsFiles, TlsFileError } from '@orchestrator/execution';
import type { Logger } from '@orchestrator/telemetry';

import type { WorkerConfig } from './config.js';

/** Undefined: plain text. @throws {ConfigError} when a file cannot be used. */
export function openTls(config: WorkerConfig, logger: Logger): SchedulerTlsFiles | undefined {
  const paths = tlsPaths(config);
  try {
    return (
      paths &&
      new SchedulerTlsFiles(paths, ({ key, path, reason }) =>
        logger.error('a file for TLS cannot be used: what it held before holds on', { key, path, reason }),
      )
    );
  } catch (error) {
    if (!(error instanceof TlsFileError)) {
      throw error;
    }
    throw new ConfigError([{ key: error.key, value: JSON.stringify(error.path), rule: error.reason }]);
  }
}

/** Absolute, because the executor, which reads them when this worker has died, runs elsewhere. */
export function tlsPaths({ tls }: WorkerConfig): SchedulerTls | undefined {
  const absolute = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(path));
  return tls.ca === undefined
    ? undefined
    : { ca: tls.ca === 'system' ? tls.ca : resolve(tls.ca), cert: absolute(tls.cert), key: absolute(tls.key) };
}
