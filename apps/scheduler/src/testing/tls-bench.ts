import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';

import { type Clock, systemClock, systemRandom } from '@orchestrator/core';
import { createLogger } from '@orchestrator/telemetry';
import { type CertificateOptions, TestAuthority, type TestCertificate } from '@orchestrator/testing';
import { ChannelCredentials } from 'nice-grpc';

import { CredentialFiles } from '../credentials/credential-files.js';
import { TlsFiles } from '../tls/tls-files.js';
import { memoryStream } from './memory-stream.js';

export const SCHEDULER_NAMES = ['localhost', '127.0.0.1'];

/** Files with the certificate of a scheduler and the authority of its workers, which a test may exchange. */
export class TlsBench {
  readonly authority = new TestAuthority();
  readonly directory = mkdtempSync(join(tmpdir(), 'orchestrator-tls-'));
  readonly paths = { cert: this.file('cert.pem'), key: this.file('key.pem'), ca: this.file('ca.pem') };
  readonly out = memoryStream();
  readonly files: CredentialFiles;
  readonly logger = createLogger({ level: 'debug', format: 'json', stream: this.out.stream });

  constructor(private readonly clock: Clock = systemClock) {
    const { logger } = this;
    this.files = new CredentialFiles({ logger, mask: () => undefined, clock, random: systemRandom });
    this.write(this.issue());
    writeFileSync(this.paths.ca, this.authority.cert);
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  /** For a scheduler on this machine, unless said otherwise. */
  issue(over: Partial<CertificateOptions> = {}): TestCertificate {
    return this.authority.issue({ name: 'scheduler', alternatives: SCHEDULER_NAMES, ...over });
  }

  write({ cert, key }: Partial<TestCertificate>): void {
    if (cert !== undefined) {
      writeFileSync(this.paths.cert, cert);
    }
    if (key !== undefined) {
      writeFileSync(this.paths.key, key, { mode: 0o600 });
    }
  }

  open({ asksWorkers }: { asksWorkers: boolean }): TlsFiles {
    const { paths, files, clock, logger } = this;
    return new TlsFiles({ paths: asksWorkers ? paths : { ...paths, ca: undefined }, files, clock, logger });
  }

  /** What a worker dials with: the authority, and what it presents. */
  credentials(presented?: TestCertificate, ca = this.authority.cert): ChannelCredentials {
    return ChannelCredentials.createFromSecureContext(createSecureContext({ ca, ...presented }));
  }

  /** With the right authority, for a worker of this name. */
  worker(name: string, over: Partial<CertificateOptions> = {}): ChannelCredentials {
    return this.credentials(this.authority.issue({ name, ...over }));
  }

  stop(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
