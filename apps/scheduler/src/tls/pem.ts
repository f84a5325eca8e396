import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

import { SecretFileError } from '@orchestrator/config';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Those of a PEM file, in its order; at least one. @throws {SecretFileError} */
export function parseCertificates(text: string): X509Certificate[] {
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) {
    throw new SecretFileError('holds no certificate: expected PEM, beginning with -----BEGIN CERTIFICATE-----');
  }
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new SecretFileError(`certificate ${index + 1} of ${blocks.length} in it is damaged`);
    }
  });
}

/** @throws {SecretFileError} */
export function parsePrivateKey(text: string): KeyObject {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new SecretFileError('holds no private key: expected PEM, beginning with -----BEGIN PRIVATE KEY-----');
  }
  if (text.includes('ENCRYPTED')) {
    throw new SecretFileError('holds a private key with a passphrase: expected one without');
  }
  try {
    return createPrivateKey(text);
  } catch {
    throw new SecretFileError('the private key in it is damaged');
  }
}
