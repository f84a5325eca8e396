import { requireToken, SecretFileError } from '@orchestrator/config';

import type { SchedulerConfig } from '../config.js';
import type { CredentialFiles } from './credential-files.js';

/** More than the old and the new one of several kinds of workers is a mistake, and each costs a hash a call. */
const MAX_TOKENS = 16;

/** The join tokens that hold, as the configuration or its file says now; none: nobody is asked for one. */
export function openJoinTokens(
  { auth: { joinToken, joinTokenFile: path } }: Pick<SchedulerConfig, 'auth'>,
  files: CredentialFiles,
): () => readonly string[] {
  if (path === undefined) {
    const fixed = joinToken === undefined ? [] : [joinToken];
    return () => fixed;
  }
  const file = files.open({
    key: 'auth.joinTokenFile',
    path,
    parse: parseJoinTokens,
    secrets: (tokens) => tokens,
    isPrivate: true,
  });
  return () => file.value;
}

/** One a line: while tokens are exchanged, the old and the new one hold. An empty file would let everybody join. */
function parseJoinTokens(text: string): readonly string[] {
  const tokens = text.split(/\r?\n/).filter((line) => line !== '');
  if (tokens.length === 0 || tokens.length > MAX_TOKENS) {
    throw new SecretFileError(`has ${tokens.length} lines: expected between 1 and ${MAX_TOKENS}`);
  }
  return tokens.map(requireToken);
}
