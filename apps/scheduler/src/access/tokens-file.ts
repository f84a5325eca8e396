import { SecretFileError } from '@orchestrator/config';
import { NAME_PATTERN } from '@orchestrator/core';
import { load } from 'js-yaml';

import { isTokenAsName } from './token.js';
import { findConflicts, parseTokenEntry, type TokenEntry } from './token-entry.js';

/**
 * Reads `auth.tokensFile`: a YAML map, name to `role:hash[:date]`. `besides`: what is configured otherwise. A file without
 * anything in it is being written, or was written halfway; `{}` says that there are none.
 * @throws {SecretFileError}
 */
export function parseTokensFile(text: string, besides: readonly TokenEntry[]): TokenEntry[] {
  const map = toMap(text);
  const entries = Object.entries(map).map(([name, value]) => {
    const shown = JSON.stringify(name.slice(0, 100));
    if (!NAME_PATTERN.test(name)) {
      throw new SecretFileError('has a name that is none: expected letters, digits, dots, dashes and underscores');
    }
    const entry = typeof value === 'string' ? parseTokenEntry(name, value) : { rule: 'expected a text: role:hash' };
    if ('rule' in entry) {
      throw new SecretFileError(isTokenAsName(name) ? entry.rule : `${shown}: ${entry.rule}`);
    }
    return entry;
  });
  const [conflict] = findConflicts([...besides, ...entries]);
  if (conflict !== undefined) {
    throw new SecretFileError(`${conflict.name}: ${conflict.rule}`);
  }
  return entries;
}

function toMap(text: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = isBlank(text) ? undefined : load(text);
  } catch (error) {
    // Its message quotes the file.
    const line = (error as { mark?: { line?: number } }).mark?.line;
    throw new SecretFileError(`is not YAML${line === undefined ? '' : `, in line ${line + 1}`}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new SecretFileError('expected a YAML map, name: role:hash on each line; {} for none');
  }
  return content as Record<string, unknown>;
}

/** What js-yaml refuses with a sentence of its own. */
function isBlank(text: string): boolean {
  return text.split('\n').every((line) => /^\s*(#.*)?$/.test(line));
}
