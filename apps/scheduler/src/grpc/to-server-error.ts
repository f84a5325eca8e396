import { InvalidValueError } from '@orchestrator/core';
import { type CloseCode, type CloseReason, ForeignSessionError } from '@orchestrator/dispatch';
import { RegistryUnavailableError } from '@orchestrator/heartbeat';
import { StoreFullError, StoreUnavailableError } from '@orchestrator/queue';
import type { Logger } from '@orchestrator/telemetry';
import { ServerError, type ServerMiddleware, Status } from 'nice-grpc';

/** The status of a stream that our side ended; one that is missing here ends as OK. */
const CLOSE_STATUS: Partial<Record<CloseCode, Status>> = {
  SLOW_CONSUMER: Status.RESOURCE_EXHAUSTED,
  FLOODING: Status.RESOURCE_EXHAUSTED,
  PROTOCOL: Status.INVALID_ARGUMENT,
  FOREIGN: Status.PERMISSION_DENIED,
  UNACKNOWLEDGED: Status.UNAVAILABLE,
  STALE_HELLO: Status.ABORTED,
  REPLACED: Status.ABORTED,
};

/** Undefined: an orderly end. */
export function toCloseError({ code, detail }: CloseReason): ServerError | undefined {
  const status = CLOSE_STATUS[code];
  return status === undefined ? undefined : new ServerError(status, `${code}: ${detail}`);
}

/** What a caller is told of an error of ours; undefined for one that nobody foresaw. */
export function toServerError(error: unknown): ServerError | undefined {
  if (error instanceof ServerError) {
    return error;
  }
  if (error instanceof InvalidValueError) {
    return new ServerError(Status.INVALID_ARGUMENT, error.message);
  }
  if (error instanceof ForeignSessionError) {
    return new ServerError(Status.PERMISSION_DENIED, error.message);
  }
  if (error instanceof StoreFullError) {
    return new ServerError(Status.RESOURCE_EXHAUSTED, error.message);
  }
  if (error instanceof RegistryUnavailableError || error instanceof StoreUnavailableError) {
    return new ServerError(Status.UNAVAILABLE, error.message);
  }
  return undefined;
}

/** The one place where errors become statuses; what nobody foresaw is logged and not told. */
export function errorMiddleware(logger: Logger): ServerMiddleware {
  return async function* errors(call, context) {
    try {
      return yield* call.next(call.request, context);
    } catch (error) {
      if (context.signal.aborted) {
        throw error;
      }
      const known = toServerError(error);
      if (known === undefined) {
        logger.error('a gRPC call failed', { method: call.method.path, error });
      }
      throw known ?? new ServerError(Status.INTERNAL, 'internal error; the scheduler has logged it');
    }
  };
}
