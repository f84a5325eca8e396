import type { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';

import { SecretFileError } from '@orchestrator/config';

import { parseCertificates, parsePrivateKey } from './pem.js';

/** What the files hold, as text. */
export interface TlsTexts {
  cert: string;
  key: string;
  /** Of workers. */
  ca: string | undefined;
}

/** Certificate, key and authority that fit together. */
export interface TlsMaterial extends TlsTexts {
  certificate: X509Certificate;
}

/** Older ones are broken, and no client of today needs them. */
export const MIN_VERSION = 'TLSv1.2';

/** @throws {SecretFileError} when the key is not that of the certificate, or one of them is too weak to be used. */
export function fitTogether(texts: TlsTexts): TlsMaterial {
  const [certificate] = parseCertificates(texts.cert);
  if (certificate === undefined || !certificate.checkPrivateKey(parsePrivateKey(texts.key))) {
    throw new SecretFileError('is not the key of the certificate in tls.cert');
  }
  const material = { ...texts, certificate };
  try {
    createSecureContext(toContextOptions(material));
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new SecretFileError(`cannot be used together with tls.cert: ${code}`);
  }
  return material;
}

/** For HTTP, which never asks for a certificate. */
export function toContextOptions({ cert, key }: TlsTexts): SecureContextOptions {
  return { cert, key, minVersion: MIN_VERSION };
}

/** For gRPC. */
export function toWorkerContextOptions(texts: TlsTexts): SecureContextOptions {
  return { ...toContextOptions(texts), ...(texts.ca === undefined ? {} : { ca: texts.ca }) };
}
