import { type Metadata, type ServerInterceptor, ServerInterceptingCall } from '@grpc/grpc-js';
import { WorkerServiceDefinition } from '@orchestrator/proto-types';
import { Status } from 'nice-grpc';

import { isJoinToken } from './join-token.js';
import type { PeerSockets } from './peer-sockets.js';
import { type OnRefused, whyNoCertificate } from './worker-certificate.js';

export interface DoormanParams {
  sockets: Pick<PeerSockets, 'begun' | 'refused'>;
  /** A certificate must stand behind each call. */
  asksWorkers: boolean;
  /** Any of those that hold now. None: everybody may join. */
  joinTokens: () => readonly string[];
  onRefused: OnRefused;
}

const WORKER_CALLS = `/${WorkerServiceDefinition.fullName}/`;

/**
 * Stands before every call: one that is refused is answered before anything of it is read. nice-grpc comes too late for
 * that: of a call with a single message it has read all of it by then, megabytes of who may not even call. Health checks
 * are let in, but do not keep their connection open.
 */
export function doorman(params: DoormanParams): ServerInterceptor {
  const { sockets, onRefused } = params;
  return ({ path }, call) => {
    let over = (): void => undefined;
    const end = (): void => {
      over();
      over = () => undefined;
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, go) => {
            const peer = call.getPeer();
            const isWorkers = path.startsWith(WORKER_CALLS);
            const refusal = isWorkers ? whyRefused(params, metadata) : undefined;
            if (refusal !== undefined) {
              onRefused({ peer, reason: refusal.reason });
              call.sendStatus({ code: Status.UNAUTHENTICATED, details: refusal.details });
              sockets.refused(peer);
              return;
            }
            over = sockets.begun(peer);
            if (!isWorkers) {
              end();
            }
            go(metadata);
          },
          // Told of each stream that closes, however it ended.
          onCancel: end,
        }),
    });
  };
}

function whyRefused(
  { asksWorkers, joinTokens }: Pick<DoormanParams, 'asksWorkers' | 'joinTokens'>,
  metadata: Metadata,
): { reason: string; details: string } | undefined {
  const certificate = asksWorkers ? whyNoCertificate(metadata) : undefined;
  if (certificate !== undefined) {
    return { reason: `its certificate: ${certificate}`, details: `the certificate was refused: ${certificate}` };
  }
  const tokens = joinTokens();
  const authorization = metadata.get('authorization')[0]?.toString() ?? '';
  const details = 'the join token is missing or wrong';
  return tokens.length === 0 || isJoinToken(tokens, authorization) ? undefined : { reason: details, details };
}
