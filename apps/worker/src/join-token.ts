import { ConfigError, readSecretFile, requireToken, SecretFileError } from '@orchestrator/config';
import type { ClosableLogger } from '@orchestrator/telemetry';

import type { WorkerConfig } from './config.js';

/** What this worker presents to schedulers: as configured, or as its file says at that moment. */
export class JoinToken {
  readonly #path: string | undefined;
  readonly #logger: ClosableLogger;
  #token: string | undefined;
  #trouble: string | undefined;

  /** @throws {ConfigError} when there is a file, and it cannot be used. */
  constructor({ joinToken, joinTokenFile }: Pick<WorkerConfig, 'joinToken' | 'joinTokenFile'>, logger: ClosableLogger) {
    this.#path = joinTokenFile;
    this.#logger = logger;
    this.#token = joinToken;
    if (joinTokenFile !== undefined) {
      const { reason, isWidelyReadable } = this.#read(joinTokenFile);
      if (reason !== undefined) {
        throw new ConfigError([{ key: 'joinTokenFile', value: JSON.stringify(joinTokenFile), rule: reason }]);
      }
      if (isWidelyReadable) {
        logger.warn('a file with a secret can be read by others than its owner', { file: joinTokenFile });
      }
    }
  }

  /** Reads the file. What it held holds on while what it holds now cannot be used. */
  current(): string | undefined {
    if (this.#path !== undefined) {
      const { reason } = this.#read(this.#path);
      if (reason !== undefined && reason !== this.#trouble) {
        const path = this.#path;
        this.#logger.error('the file with the join token cannot be used: what it held before holds on', {
          path,
          reason,
        });
      }
      this.#trouble = reason;
    }
    return this.#token;
  }

  #read(path: string): { reason: string | undefined; isWidelyReadable: boolean } {
    try {
      const { text, isWidelyReadable } = readSecretFile(path);
      this.#token = requireToken(text);
      this.#logger.mask([this.#token]);
      return { reason: undefined, isWidelyReadable };
    } catch (error) {
      if (!(error instanceof SecretFileError)) {
        throw error;
      }
      return { reason: error.reason, isWidelyReadable: false };
    }
  }
}
