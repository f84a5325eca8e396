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
export type { LastWill } from './wire.js';
export type { LeftoversParams } from './leftovers.js';
export { endLeftovers } from './leftovers.js';
export { uptimeMs } from './uptime.js';
export { ExecutorStartError, HandlerLoadError } from './errors.js';
export { MARK_VARIABLE } from './mark.js';
