import type { ConnectionOptions } from 'node:tls';

/** Without an authority (PEM) those that Node knows are trusted. */
export function toTls(ca: string | undefined): ConnectionOptions {
  return { minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) };
}
