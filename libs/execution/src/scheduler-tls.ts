import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';

import { OrchestratorError } from '@orchestrator/core';

/** How a worker speaks TLS to schedulers: paths of PEM files, which may change at any time. */
export interface SchedulerTls {
  /** Certificate authority of schedulers, or `system`: those that Node knows. */
  ca: string;
  /** What it presents; both or neither. */
  cert?: string | undefined;
  key?: string | undefined;
}

/** Thrown when files for TLS cannot be used; says nothing of their content. */
export class TlsFileError extends OrchestratorError {
  constructor(
    readonly key: `tls.${keyof SchedulerTls}`,
    readonly path: string,
    readonly reason: string,
  ) {
    super('BAD_TLS_FILE', `${key} is ${JSON.stringify(path)}: ${reason}`);
  }
}

const MAX_BYTES = 1024 * 1024;
const MIN_VERSION = 'TLSv1.2';

/** Reads the files. @throws {TlsFileError} */
export function readSecureContext(tls: SchedulerTls): SecureContext {
  const ca = tls.ca === 'system' ? undefined : readPem('tls.ca', tls.ca, 'CERTIFICATE');
  const cert = tls.cert === undefined ? undefined : readPem('tls.cert', tls.cert, 'CERTIFICATE');
  const key = tls.key === undefined ? undefined : readPem('tls.key', tls.key, 'PRIVATE KEY');
  const make = (options: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined }) =>
    createSecureContext({ ...options, minVersion: MIN_VERSION });
  named('tls.ca', tls.ca, () => make({ ca }));
  if (cert !== undefined && key !== undefined && tls.cert !== undefined && tls.key !== undefined) {
    named('tls.cert', tls.cert, () => make({ cert }));
    return named('tls.key', tls.key, () => make({ ca, cert, key }));
  }
  return make({ ca });
}

function named<T>(key: TlsFileError['key'], path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new TlsFileError(key, path, REASONS[code] ?? `it cannot be used: ${code}`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'it is not the key of the certificate in tls.cert',
  ERR_OSSL_X509_KEY_TYPE_MISMATCH: 'it is not the key of the certificate in tls.cert',
  ERR_OSSL_BAD_PASSWORD_READ: 'it has a passphrase: expected one without',
  ERR_MISSING_PASSPHRASE: 'it has a passphrase: expected one without',
};

function readPem(key: TlsFileError['key'], path: string, kind: string): string {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > MAX_BYTES) {
      throw new TlsFileError(key, path, `it is ${size} bytes long: expected ${MAX_BYTES} at most`);
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof TlsFileError) {
      throw error;
    }
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new TlsFileError(key, path, code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${code}`);
  }
  if (!new RegExp(`-----BEGIN [A-Z ]*${kind}-----`).test(text)) {
    throw new TlsFileError(key, path, `it holds no PEM, as ${`-----BEGIN ${kind}-----`}`);
  }
  return text;
}

/** For a worker: read at each connection; what was read last holds on while what is there now cannot be used. */
export class SchedulerTlsFiles {
  #last: SecureContext;
  #trouble: string | undefined;

  /** @throws {TlsFileError} when the files cannot be used at the start. */
  constructor(
    private readonly tls: SchedulerTls,
    private readonly onTrouble: (error: TlsFileError) => void = () => undefined,
  ) {
    this.#last = readSecureContext(tls);
  }

  current(): SecureContext {
    try {
      this.#last = readSecureContext(this.tls);
      this.#trouble = undefined;
    } catch (error) {
      if (!(error instanceof TlsFileError)) {
        throw error;
      }
      if (error.message !== this.#trouble) {
        this.#trouble = error.message;
        this.onTrouble(error);
      }
    }
    return this.#last;
  }
}
