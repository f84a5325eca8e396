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
import { foreignToCertificate, type OnRefused } from './worker-certificate.js';

const GONE_REASONS: Partial<Record<GoneReason, LastWill['reason']>> = {
  [GoneReason.PROCESS_ENDED]: 'process_ended',
  [GoneReason.SUPERSEDED]: 'superseded',
};

/** Whose output it is; workers of the version before say nothing. */
const WORKER_KEY = 'orchestrator-worker';
const SESSION_KEY = 'orchestrator-session';

export interface WorkerServiceDeps extends LinkEndDeps {
  dispatch: Dispatch;
  sockets: PeerSockets;
  /** A worker may only speak for ids that its certificate names. */
  asksWorkers: boolean;
  onRefused: OnRefused;
  /** What may wait for a worker that does not read. */
  outbox?: OutboxLimits;
}

/** `WorkerService` on gRPC: what is decided is decided in `dispatch`; here are only streams and their ends. */
export function createWorkerService(deps: WorkerServiceDeps): WorkerServiceImplementation {
  const { dispatch, sockets, asksWorkers, onRefused } = deps;
  /** Why the caller may not speak for this worker; undefined: it may. */
  const whyForeign = (context: CallContext, worker: string): string | undefined => {
    const reason = asksWorkers ? foreignToCertificate(context, worker) : undefined;
    if (reason !== undefined) {
      onRefused({ peer: context.peer, worker, reason });
    }
    return reason;
  };
  const requireOwn = (context: CallContext, worker: string): void => {
    const reason = whyForeign(context, worker);
    if (reason !== undefined) {
      throw new ServerError(Status.PERMISSION_DENIED, reason);
    }
  };
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
        const refusal = ({ message }: WorkerMessage): string | undefined =>
          message?.$case === 'hello' ? whyForeign(context, message.value.workerId) : undefined;
        void receiveAll(request, connection, refusal, () =>
          outbox.closeReason === undefined ? undefined : ended.promise,
        );
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

    async *output(request: AsyncIterable<OutputMessage>, context: CallContext): AsyncGenerator<OutputAck> {
      const { metadata, signal } = context;
      const writer = { worker: metadata.get(WORKER_KEY) ?? '', session: metadata.get(SESSION_KEY) ?? '' };
      requireOwn(context, writer.worker);
      // Not reading on before it is stored is the back-pressure.
      for await (const message of request) {
        yield await dispatch.acceptOutput(message, signal, writer);
      }
    },

    async gone(request: GoneRequest, context: CallContext): Promise<GoneResponse> {
      requireOwn(context, request.workerId);
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
  refusal: (message: WorkerMessage) => string | undefined,
  closing: () => Promise<void> | undefined,
): Promise<void> {
  try {
    for await (const message of request) {
      const reason = refusal(message);
      if (reason === undefined) {
        connection.receive(message);
      } else {
        connection.end({ code: 'FOREIGN', detail: reason });
      }
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
