import type { Clock, Random } from '@orchestrator/core';
import { PeriodicService, type Service } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';

import { CredentialFile, type CredentialFileParams } from './credential-file.js';

export interface CredentialFilesParams {
  /** Where changes and trouble are told. */
  logger: Logger;
  /** Takes what must not be written into the log from now on. */
  mask(secrets: readonly string[]): void;
  clock: Clock;
  random: Random;
}

/** No signal and no watch: it works on any file system, also where a container mounts secrets. */
export const LOOK_EVERY_MS = 10_000;

/** All files with credentials of this scheduler, looked at again and again. */
export class CredentialFiles implements Service {
  readonly name = 'files with credentials';
  readonly #params: CredentialFilesParams;
  readonly #files: CredentialFile<unknown>[] = [];
  readonly #regular: PeriodicService;

  constructor(params: CredentialFilesParams) {
    this.#params = params;
    this.#regular = new PeriodicService({
      ...params,
      name: 'look at files with credentials',
      intervalMs: LOOK_EVERY_MS,
      run: async () => this.#look(),
    });
  }

  /** Reads it at once. @throws {ConfigError} when it cannot be used. */
  open<T>(params: CredentialFileParams<T>): CredentialFile<T> {
    const file = new CredentialFile(params, this.#params);
    this.#files.push(file as CredentialFile<unknown>);
    return file;
  }

  start(): Promise<void> {
    return this.#regular.start();
  }

  stop(): Promise<void> {
    return this.#regular.stop();
  }

  /** One look at all of them, now. */
  runOnce(): Promise<void> {
    return this.#regular.runOnce();
  }

  /** All are read before anybody is told: a certificate and its key come together. */
  #look(): void {
    const changed = this.#files.filter((file) => file.look());
    changed.forEach((file) => file.tell());
  }
}
