import type { Server, ServerOptions } from 'node:http';
import type { Server as TlsServer } from 'node:https';

import type { TlsFiles } from '../tls/tls-files.js';
import { toContextOptions } from '../tls/tls-material.js';
import { HANDSHAKE_LIMIT_MS } from '../tls/worker-credentials.js';

/**
 * Fastify's options for plain text or TLS. Its types make another instance of every server with `https`, though nothing
 * that we use of one is different: the return type says plain text in both cases.
 */
export function transportOptions(tls: TlsFiles | undefined, http: ServerOptions): { http: ServerOptions } {
  if (tls === undefined) {
    return { http };
  }
  const https = { ...http, ...toContextOptions(tls.material), handshakeTimeout: HANDSHAKE_LIMIT_MS };
  return { https } as unknown as { http: ServerOptions };
}

/** New connections get a new certificate; those that are open live on. */
export function followCertificate(server: Server, tls: TlsFiles | undefined): void {
  tls?.onChange((material) => (server as unknown as TlsServer).setSecureContext(toContextOptions(material)));
}
