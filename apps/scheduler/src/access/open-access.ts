import type { ConfigProblem } from '@orchestrator/config';
import type { Clock } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import type { SchedulerConfig } from '../config.js';
import type { CredentialFiles } from '../credentials/credential-files.js';
import { AccessControl } from './access-control.js';
import { findConflicts, parseTokenEntry, type TokenEntry } from './token-entry.js';
import { isTokenAsName } from './token.js';
import { TokenTable } from './token-table.js';
import { parseTokensFile } from './tokens-file.js';

/** Whether all but the open routes ask for a token. A file without any token in it refuses everybody. */
export function asksForTokens({ auth }: Pick<SchedulerConfig, 'auth'>): boolean {
  return Object.keys(auth.tokens).length > 0 || auth.tokensFile !== undefined;
}

/** What is wrong with `auth.tokens`; the values are not shown, one of them may be a token. */
export function checkTokens(config: SchedulerConfig): ConfigProblem[] {
  const { auth } = config;
  const problems = Object.entries(auth.tokens).flatMap(([name, text]) => {
    const entry = parseTokenEntry(name, text);
    const key = isTokenAsName(name) ? 'auth.tokens' : `auth.tokens.${name}`;
    return 'rule' in entry ? [{ key, rule: entry.rule }] : [];
  });
  if (auth.mode === 'none' && asksForTokens(config)) {
    problems.push({
      key: 'auth.mode',
      rule: 'expected either tokens (auth.tokens, auth.tokensFile) or auth.mode none, which asks nobody for one',
    });
  }
  const conflicts = findConflicts(fixedTokens(config));
  return [...problems, ...conflicts.map(({ name, rule }) => ({ key: `auth.tokens.${name}`, rule }))];
}

/** @throws {ConfigError} when `auth.tokensFile` cannot be used. */
export function openAccess(
  config: SchedulerConfig,
  credentials: CredentialFiles,
  { clock, logger }: { clock: Clock; logger: Logger },
): AccessControl {
  if (!asksForTokens(config)) {
    return new AccessControl({ tokens: undefined, clock, logger });
  }
  const fixed = fixedTokens(config);
  const tokens = new TokenTable(fixed);
  const { tokensFile } = config.auth;
  if (tokensFile !== undefined) {
    const file = credentials.open({
      key: 'auth.tokensFile',
      path: tokensFile,
      parse: (text) => parseTokensFile(text, fixed),
    });
    tokens.replaceFile(file.value);
    file.onChange((entries) => tokens.replaceFile(entries));
  }
  return new AccessControl({ tokens, clock, logger });
}

function fixedTokens({ auth }: SchedulerConfig): TokenEntry[] {
  return Object.entries(auth.tokens)
    .map(([name, text]) => parseTokenEntry(name, text))
    .filter((entry): entry is TokenEntry => !('rule' in entry));
}
