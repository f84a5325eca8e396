import { ConfigError, readSecretFile, SecretFileError } from '@orchestrator/config';
import type { Logger } from '@orchestrator/telemetry';

export interface CredentialFileParams<T> {
  /** The key of the configuration that names it. */
  key: string;
  path: string;
  /** Throws `SecretFileError` with what is wrong, and nothing of the content. */
  parse(text: string): T;
  /** What of it must never be written into the log. */
  secrets?(value: T): readonly string[];
  /** Nobody but its owner should be able to read it. */
  isPrivate?: boolean;
}

/** Where a file's secrets become known, and its trouble is told. */
export interface CredentialFileDeps {
  logger: Logger;
  mask(secrets: readonly string[]): void;
}

/**
 * A file with a credential, read when it is made and again at each look. What it held holds on for as long as what it
 * holds now cannot be used.
 */
export class CredentialFile<T> {
  readonly #params: CredentialFileParams<T>;
  readonly #deps: CredentialFileDeps;
  readonly #listeners = new Set<(value: T) => void>();
  #text: string;
  #value: T;
  #trouble: string | undefined;

  /** @throws {ConfigError} when it cannot be used. */
  constructor(params: CredentialFileParams<T>, deps: CredentialFileDeps) {
    this.#params = params;
    this.#deps = deps;
    try {
      const { text, value } = this.#read();
      this.#text = text;
      this.#value = value;
    } catch (error) {
      const { key, path } = params;
      throw new ConfigError([{ key, value: JSON.stringify(path), rule: reasonOf(error) }]);
    }
  }

  get value(): T {
    return this.#value;
  }

  /** Called after a look that found something new, when all files were looked at. */
  onChange(listener: (value: T) => void): void {
    this.#listeners.add(listener);
  }

  /** Answers whether there is something new. Never throws. */
  look(): boolean {
    const { key, path } = this.#params;
    const { logger } = this.#deps;
    try {
      const { text, value } = this.#read(this.#text);
      if (this.#trouble !== undefined) {
        logger.info('a file with a credential can be used again', { key, path });
      }
      this.#trouble = undefined;
      const isNew = text !== this.#text;
      this.#text = text;
      this.#value = value;
      return isNew;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== this.#trouble) {
        logger.error('a file with a credential cannot be used: what it held before holds on', { key, path, reason });
      }
      this.#trouble = reason;
      return false;
    }
  }

  /** Tells the listeners. One that throws cannot use it: that is said, and the others are told all the same. */
  tell(): void {
    const { key, path } = this.#params;
    const { logger } = this.#deps;
    for (const listener of this.#listeners) {
      try {
        listener(this.#value);
      } catch (error) {
        logger.error('a new credential cannot be used', { key, path, reason: reasonOf(error) });
      }
    }
    logger.info('a credential has changed', { key, path });
  }

  #read(before?: string): { text: string; value: T } {
    const { key, path, isPrivate = false } = this.#params;
    const { text, isWidelyReadable } = readSecretFile(path);
    if (text === before) {
      return { text, value: this.#value };
    }
    const value = this.#params.parse(text);
    this.#deps.mask(this.#params.secrets?.(value) ?? []);
    if (isPrivate && isWidelyReadable) {
      this.#deps.logger.warn('a file with a secret can be read by others than its owner', { key, path });
    }
    return { text, value };
  }
}

/** Whatever another error says may quote the content. */
function reasonOf(error: unknown): string {
  return error instanceof SecretFileError
    ? error.reason
    : `cannot be understood (${error instanceof Error ? error.name : 'unknown error'})`;
}
