import { ConfigError, SecretFileError } from '@orchestrator/config';
import type { Clock } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import type { SchedulerConfig } from '../config.js';
import type { CredentialFiles } from '../credentials/credential-files.js';
import { parseCertificates, parsePrivateKey } from './pem.js';
import { fitTogether, type TlsMaterial, type TlsTexts } from './tls-material.js';

export interface TlsFilesParams {
  paths: { cert: string; key: string; ca?: string | undefined };
  files: Pick<CredentialFiles, 'open'>;
  clock: Clock;
  logger: Logger;
}

const DAY_MS = 86_400_000;
const WARN_BEFORE_MS = 14 * DAY_MS;

/**
 * The certificate of this scheduler with its key, and the authority of its workers. A new certificate is taken when its
 * key is there, too: until then, however long that takes, the old pair holds.
 */
export class TlsFiles {
  readonly #params: TlsFilesParams;
  readonly #listeners = new Set<(material: TlsMaterial) => void>();
  readonly #read: () => TlsTexts;
  #material: TlsMaterial;
  #trouble: string | undefined;

  /** @throws {ConfigError} when something of it cannot be used. */
  constructor(params: TlsFilesParams) {
    this.#params = params;
    const { paths, files } = params;
    const checked = (parse: (text: string) => unknown) => (text: string) => {
      parse(text);
      return text;
    };
    const cert = files.open({ key: 'tls.cert', path: paths.cert, parse: checked(parseCertificates) });
    const key = files.open({ key: 'tls.key', path: paths.key, parse: checked(parsePrivateKey), isPrivate: true });
    const ca =
      paths.ca === undefined
        ? undefined
        : files.open({ key: 'tls.ca', path: paths.ca, parse: checked(parseCertificates) });
    this.#read = () => ({ cert: cert.value, key: key.value, ca: ca?.value });
    try {
      this.#material = fitTogether(this.#read());
    } catch (error) {
      throw new ConfigError([{ key: 'tls.key', value: JSON.stringify(paths.key), rule: (error as Error).message }]);
    }
    for (const file of [cert, key, ca]) {
      file?.onChange(() => this.#refit());
    }
    this.tellOfEnd();
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** Workers are asked for a certificate. */
  get asksWorkers(): boolean {
    return this.#params.paths.ca !== undefined;
  }

  /** Called with each new one. */
  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.add(listener);
  }

  /** Until the certificate is void; negative when it is. */
  secondsLeft(): number {
    return Math.floor((this.#endsAtMs() - this.#params.clock.wallMs()) / 1_000);
  }

  /** Says it when the certificate is void, soon will be, or is not valid yet. */
  tellOfEnd(): void {
    const { clock, logger, paths } = this.#params;
    const leftMs = this.secondsLeft() * 1_000;
    const fields = { path: paths.cert, until: new Date(this.#endsAtMs()).toISOString() };
    const beginsAtMs = Date.parse(this.#material.certificate.validFrom);
    if (beginsAtMs > clock.wallMs()) {
      const from = new Date(beginsAtMs).toISOString();
      logger.warn(
        'the certificate in tls.cert is not valid yet, or the clock is wrong: clients and workers will refuse it',
        {
          ...fields,
          from,
        },
      );
    } else if (leftMs < 0) {
      logger.warn('the certificate in tls.cert has expired: clients and workers will refuse it', fields);
    } else if (leftMs < WARN_BEFORE_MS) {
      logger.warn('the certificate in tls.cert expires soon', { ...fields, days: Math.floor(leftMs / DAY_MS) });
    }
  }

  #endsAtMs(): number {
    return Date.parse(this.#material.certificate.validTo);
  }

  /** Called for each file that has changed, when all were read. */
  #refit(): void {
    const { logger, paths } = this.#params;
    const texts = this.#read();
    const { cert, key, ca } = this.#material;
    if (texts.cert === cert && texts.key === key && texts.ca === ca) {
      this.#trouble = undefined;
      return;
    }
    try {
      this.#material = fitTogether(texts);
    } catch (error) {
      const reason = error instanceof SecretFileError ? error.reason : 'unknown error';
      if (reason !== this.#trouble) {
        logger.warn('the new certificate is not used yet: the old one goes on', { path: paths.key, reason });
      }
      this.#trouble = reason;
      return;
    }
    this.#trouble = undefined;
    logger.info('a new certificate is used', { path: paths.cert, until: new Date(this.#endsAtMs()).toISOString() });
    this.tellOfEnd();
    this.#listeners.forEach((listener) => listener(this.#material));
  }
}

/** Undefined without TLS. @throws {ConfigError} */
export function openTls({ tls }: SchedulerConfig, deps: Omit<TlsFilesParams, 'paths'>): TlsFiles | undefined {
  const { cert, key, ca } = tls;
  return cert === undefined || key === undefined ? undefined : new TlsFiles({ ...deps, paths: { cert, key, ca } });
}
