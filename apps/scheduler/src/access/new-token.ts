import { ConfigError } from '@orchestrator/config';
import type { Random } from '@orchestrator/core';

import { isRole, ROLES } from './role.js';
import { newToken, toLine } from './token.js';

export const NEW_TOKEN = {
  flag: '--new-token',
  value: 'ROLE',
  doc: `make a token of a role (${ROLES.join(', ')}) and its line for auth.tokens, and exit`,
};

/** What `--new-token ROLE` prints. @throws {ConfigError} for a role that is none. */
export function answerNewToken(role: string, random: Random): string {
  if (!isRole(role)) {
    throw new ConfigError([
      { key: NEW_TOKEN.flag, value: JSON.stringify(role), rule: `expected one of ${ROLES.join(', ')}` },
    ]);
  }
  const token = newToken(random);
  return [
    'token, for who calls (it is shown only now):',
    `  ${token}`,
    'line for auth.tokens or auth.tokensFile, under a name of its own:',
    `  ${role}-1: ${toLine(role, token)}`,
    '',
  ].join('\n');
}
