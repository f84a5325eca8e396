export type {
  AttemptToRun,
  Executor,
  ExecutorEnd,
  ExecutorEvents,
  ExecutorOutput,
  OutputStreamName,
} from './executor.js';
export type { ExecutorProcessParams } from './executor-process.js';
export { ExecutorProcess } from './executor-process.js';
export type { CgroupUse, LastWill } from './wire.js';
export type { LeftoversParams } from './leftovers.js';
export { endLeftovers } from './leftovers.js';
export { uptimeMs } from './uptime.js';
export { ExecutorStartError, HandlerLoadError } from './errors.js';
export type { HandlerEvents, HandlerKill, HandlerRunnerParams } from './handlers/handler-runner.js';
export { HandlerRunner } from './handlers/handler-runner.js';
export type { HandlerJob, HandlerToRun } from './handlers/handler-wire.js';
export type { HandlerContext } from './handlers/handler-context.js';
export { HandlerAbortError } from './handlers/handler-context.js';
export { NonRetryableError } from './handlers/non-retryable-error.js';
export { MARK_VARIABLE } from './mark.js';
export type { SchedulerTls } from './scheduler-tls.js';
export { SchedulerTlsFiles, TlsFileError } from './scheduler-tls.js';
