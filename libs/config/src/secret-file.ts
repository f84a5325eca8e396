import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

import { OrchestratorError } from '@orchestrator/core';

export interface SecretText {
  text: string;
  /** Others than the file's owner may read it. */
  isWidelyReadable: boolean;
}

/** Why a file with a secret cannot be used; says nothing of its content. */
export class SecretFileError extends OrchestratorError {
  constructor(readonly reason: string) {
    super('BAD_SECRET_FILE', reason);
  }
}

const MAX_BYTES = 1024 * 1024;
const OTHERS_MAY_READ = 0o044;
const ONE_LINE = /^[^\p{Cc}]+$/u;
/** What fits into a header. */
export const TOKEN_PATTERN = /^[\x21-\x7e]+$/;
export const TOKEN_EXPECTS = 'one line of ASCII without spaces';

/**
 * Reads a file with a secret, without the line end that editors leave. Waits for the disk: these are small files that
 * lie on the machine itself. @throws {SecretFileError}
 */
export function readSecretFile(path: string): SecretText {
  try {
    // A pipe without a writer would be waited for.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size, mode } = requireRegular(file);
      if (size > MAX_BYTES) {
        throw new SecretFileError(`is ${size} bytes long: expected ${MAX_BYTES} at most`);
      }
      const bytes = readFileSync(file);
      return { text: decode(bytes).replace(/\r?\n$/, ''), isWidelyReadable: (mode & OTHERS_MAY_READ) !== 0 };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof SecretFileError) {
      throw error;
    }
    const { code } = error as NodeJS.ErrnoException;
    throw new SecretFileError(code === 'ENOENT' ? 'there is no such file' : `cannot be read: ${code ?? 'unknown'}`);
  }
}

/** A password. @throws {SecretFileError} */
export function requireOneLine(text: string): string {
  if (!ONE_LINE.test(text)) {
    throw new SecretFileError(
      text === '' ? 'is empty: expected one line' : 'expected one line without control characters',
    );
  }
  return text;
}

/** A token that becomes a header. @throws {SecretFileError} */
export function requireToken(text: string): string {
  if (!TOKEN_PATTERN.test(text)) {
    throw new SecretFileError(text === '' ? `is empty: expected ${TOKEN_EXPECTS}` : `expected ${TOKEN_EXPECTS}`);
  }
  return text;
}

function requireRegular(file: number): { size: number; mode: number } {
  const stat = fstatSync(file);
  if (!stat.isFile()) {
    throw new SecretFileError('is not a regular file');
  }
  return stat;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new SecretFileError('is not UTF-8 text');
  }
}
