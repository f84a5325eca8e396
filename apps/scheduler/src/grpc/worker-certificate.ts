import type { PeerCertificate, TLSSocket } from 'node:tls';

import {
  type Metadata,
  type ServerInterceptor,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
} from '@grpc/grpc-js';
import type { Logger } from '@orchestrator/telemetry';
import type { CallContext } from 'nice-grpc';

/** Names in a worker's certificate, or why there are none. */
type Presented = { names: readonly string[] } | { refused: string };

export interface Refusal {
  peer: string;
  reason: string;
  /** As whom it spoke, if it came so far. */
  worker?: string;
}

export type OnRefused = (refusal: Refusal) => void;

/** nice-grpc hides the call, but for its metadata. What a worker itself sends under this name is overwritten. */
const KEY = 'orchestrator-certificate';

/** Tells each call whose certificate stands behind it. */
export const certificateInterceptor: ServerInterceptor = (_method, call) =>
  new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMetadata: (metadata, go) => {
          metadata.set(KEY, encodeURIComponent(JSON.stringify(presentedBy(call))));
          go(metadata);
        },
      }),
  });

/** Why a call has no certificate of ours behind it; undefined: it has. */
export function whyNoCertificate(metadata: Metadata): string | undefined {
  const presented = readPresented(metadata.get(KEY)[0]?.toString());
  return 'refused' in presented ? presented.refused : undefined;
}

/** Why the certificate behind a call is not that of this worker; undefined: it is. */
export function foreignToCertificate(context: CallContext, worker: string): string | undefined {
  const presented = readPresented(context.metadata.get(KEY));
  const names = 'names' in presented ? presented.names : [];
  return worker !== '' && names.some((name) => standsFor(name, worker))
    ? undefined
    : `the certificate is for ${names.length === 0 ? 'nobody' : names.join(', ')}, not for worker "${worker}"`;
}

/** A name that ends in `*` stands for anything behind it. */
export function standsFor(name: string, worker: string): boolean {
  return name.endsWith('*') ? worker.startsWith(name.slice(0, -1)) : name === worker;
}

/** Common names and DNS names. */
export function namesOf({
  subject,
  subjectaltname = '',
}: Pick<PeerCertificate, 'subject' | 'subjectaltname'>): string[] {
  const common = (subject as { CN?: string | string[] } | undefined)?.CN ?? [];
  // Node quotes a name in which there is something unusual, its commas escaped: no name can pretend to be two.
  const dns = subjectaltname
    .split(', ')
    .flatMap((each) => (each.startsWith('DNS:') ? [each.slice('DNS:'.length)] : []));
  return [...new Set([common, dns].flat())];
}

function readPresented(text: string | undefined): Presented {
  return text === undefined ? { refused: 'none was asked for' } : (JSON.parse(decodeURIComponent(text)) as Presented);
}

function presentedBy(call: ServerInterceptingCallInterface): Presented {
  const { sslPeerCertificate: certificate } = call.getAuthContext();
  return certificate === undefined ? { refused: reasonOf(call) } : { names: namesOf(certificate) };
}

/** grpc-js tells no reason: where its insides are as they are today, the connection is asked for it. */
function reasonOf(call: ServerInterceptingCallInterface): string {
  const { stream } = call as { stream?: { session?: { socket?: Partial<TLSSocket> } } };
  const socket = stream?.session?.socket;
  if (socket?.getPeerCertificate?.() === undefined || Object.keys(socket.getPeerCertificate()).length === 0) {
    return 'none was presented';
  }
  const { authorizationError } = socket;
  const code = String(authorizationError instanceof Error ? authorizationError.message : authorizationError);
  return REASONS[code] ?? code;
}

const REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is signed by itself, not by the authority in tls.ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'it is not signed by the authority in tls.ca',
  UNABLE_TO_GET_ISSUER_CERT: 'it is not signed by the authority in tls.ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'it is not signed by the authority in tls.ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'it is not signed by the authority in tls.ca',
  CERT_SIGNATURE_FAILURE: 'it is not signed by the authority in tls.ca',
  INVALID_PURPOSE: 'it is not for clients (extended key usage)',
};

/** Refusals in the log: the first one, then now and then how many there were, however many come. */
export class RefusalLog {
  #toldAtMs: number | undefined;
  #untold = 0;

  constructor(
    private readonly logger: Logger,
    private readonly monotonicMs: () => number,
    private readonly everyMs = 1_000,
  ) {}

  tell(fields: Refusal): void {
    const now = this.monotonicMs();
    if (this.#toldAtMs !== undefined && now - this.#toldAtMs < this.everyMs) {
      this.#untold += 1;
      return;
    }
    const more = this.#untold === 0 ? {} : { moreSinceTheLast: this.#untold };
    this.#toldAtMs = now;
    this.#untold = 0;
    this.logger.warn('a worker was refused', { ...fields, ...more });
  }
}
