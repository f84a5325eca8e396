export type { LogFields, Logger } from './logger.js';
export { silentLogger } from './logger.js';
export type { ClosableLogger, CreateLoggerOptions, LogLevel } from './create-logger.js';
export { createLogger, FLUSH_LIMIT_MS, LOG_LEVELS, MAX_BUFFERED_BYTES } from './create-logger.js';
export type { LogFormat } from './log-line.js';
export { safeJson } from './log-line.js';
export { REDACTED } from './redact.js';
