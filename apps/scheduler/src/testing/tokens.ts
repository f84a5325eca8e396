import { systemRandom } from '@orchestrator/core';

import type { Role } from '../access/role.js';
import { newToken, toLine } from '../access/token.js';
import { parseTokenEntry, type TokenEntry } from '../access/token-entry.js';
import { TokenTable } from '../access/token-table.js';

export interface TestToken {
  readonly token: string;
  readonly entry: TokenEntry;
  /** To be sent. */
  readonly headers: { authorization: string };
}

/** As one that is configured. `until`: the date after which it is void. */
export function testToken(name: string, role: Role, until?: string): TestToken {
  const token = newToken(systemRandom);
  const entry = parseTokenEntry(name, toLine(role, token) + (until === undefined ? '' : `:${until}`));
  if ('rule' in entry) {
    throw new Error(entry.rule);
  }
  return { token, entry, headers: { authorization: `Bearer ${token}` } };
}

export function tableOf(...tokens: TestToken[]): TokenTable {
  return new TokenTable(tokens.map(({ entry }) => entry));
}
