import {
  type CloseReason,
  type Dispatch,
  type LastWill,
  Outbox,
  type OutboxLimits,
  type WorkerConnection,
} from '@orchestrator/dispatch';
import { createDeferred } from '@orchestrator/lifecycle';
import {
  GoneReason,
  type GoneRequest,
  type GoneResponse,
  type OutputAck,
  type OutputMessage,
  type SchedulerMessage,
  type WorkerMessage,
  type WorkerServiceImplementation,
} from '@orchestrator/proto-types';
import { type CallContext, ServerError, Status } from 'nice-grpc';

import { endInTime, type LinkEndDeps } from './link-end.js';
import type { PeerSockets } from './peer-sockets.js';
import { toCloseError } from './to-server-error.js';

const GONE_REASONS: Partial<Record<GoneReason, LastWill['reason']>> = {
  [GoneReason.PROCESS_ENDED]: 'process_ended',
  [GoneReason.SUPERSEDED]: 'superseded',
};

export interface WorkerServiceDeps extends LinkEndDeps {
  dispatch: Dispatch;
  sockets: PeerSockets;
  /** What may wait for a worker that does not read. */
  outbox?: OutboxLimits;
}

/** `WorkerService` on gRPC: what is decided is decided in `dispatch`; here are only streams and their ends. */
export function createWorkerService(deps: WorkerServiceDeps): WorkerServiceImplementation {
  const { dispatch, sockets } = deps;
  return {
    async *connect(request: AsyncIterable<WorkerMessage>, context: CallContext): AsyncGenerator<SchedulerMessage> {
      const { peer, signal } = context;
      const socket = sockets.of(peer);
      const ended = createDeferred();
      const onClosed = (reason: CloseReason): void => endInTime(deps, { peer, socket, reason, ended: ended.promise });
      const outbox = new Outbox(deps.outbox, onClosed);
      const connection = dispatch.acceptWorker(outbox);
      // nice-grpc does not return a generator that waits when its client dies: only the signal tells.
      const onAbort = (): void => connection.end({ code: 'BROKEN', detail: 'the stream broke' });
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        void receiveAll(request, connection, () => (outbox.closeReason === undefined ? undefined : ended.promise));
        yield* outbox;
      } finally {
        signal.removeEventListener('abort', onAbort);
        connection.end({ code: 'BROKEN', detail: 'the stream ended' });
        ended.resolve();
      }
      const error = outbox.closeReason && toCloseError(outbox.closeReason);
      if (error !== undefined) {
        throw error;
      }
    },

    async *output(request: AsyncIterable<OutputMessage>, { signal }: CallContext): AsyncGenerator<OutputAck> {
      // Not reading on before it is stored is the back-pressure.
      for await (const message of request) {
        yield await dispatch.acceptOutput(message, signal);
      }
    },

    async gone(request: GoneRequest): Promise<GoneResponse> {
      const reason = GONE_REASONS[request.reason];
      if (reason === undefined) {
        throw new ServerError(Status.INVALID_ARGUMENT, `reason is ${request.reason}: expected one of this version`);
      }
      const { workerId: worker, session, detail } = request;
      await dispatch.gone({ worker, session, reason, detail });
      return {};
    },
  };
}

/** Of a stream that our side has closed nothing more is read, however much comes. */
async function receiveAll(
  request: AsyncIterable<WorkerMessage>,
  connection: WorkerConnection,
  closing: () => Promise<void> | undefined,
): Promise<void> {
  try {
    for await (const message of request) {
      connection.receive(message);
      const isClosing = closing();
      if (isClosing !== undefined) {
        await isClosing;
      }
    }
    connection.inputEnded();
  } catch (error) {
    connection.end({ code: 'BROKEN', detail: error instanceof Error ? error.message : String(error) });
  }
}
