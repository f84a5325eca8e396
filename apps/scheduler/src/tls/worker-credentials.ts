import { ServerCredentials } from '@grpc/grpc-js';

import type { TlsFiles } from './tls-files.js';
import { type TlsMaterial, toWorkerContextOptions } from './tls-material.js';

/** A connection that has not finished its handshake by then is closed. */
export const HANDSHAKE_LIMIT_MS = 10_000;

/**
 * TLS for gRPC. A new certificate is for new connections; those that are open live on.
 *
 * A worker without a certificate of ours is let in so far that it can be told so: with `rejectUnauthorized` it would see
 * nothing but a connection that is closed. Every service but the health check stands behind the doorman.
 */
export class WorkerCredentials extends ServerCredentials {
  constructor(files: TlsFiles) {
    super(
      { requestCert: files.asksWorkers, rejectUnauthorized: false, handshakeTimeout: HANDSHAKE_LIMIT_MS },
      toWorkerContextOptions(files.material),
    );
    files.onChange((material: TlsMaterial) => this.updateSecureContextOptions(toWorkerContextOptions(material)));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
