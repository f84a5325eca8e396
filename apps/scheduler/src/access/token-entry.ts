import { isRole, type Role, ROLES } from './role.js';
import { isTokenAsName, looksLikeToken } from './token.js';

/** A token as it is configured: what it is called, what it may do, and its hash. */
export interface TokenEntry {
  readonly name: string;
  readonly role: Role;
  /** SHA-256 in hex, lower case. */
  readonly digest: string;
  /** Wall clock, milliseconds: from then on it is void. */
  readonly voidFromMs: number | undefined;
}

/** What is wrong with an entry, as a rule; nothing of its value, which may be the token itself. */
export interface EntryProblem {
  readonly rule: string;
}

const DIGEST = /^[0-9a-f]{64}$/i;
const DATE = /^\d{4}-\d\d-\d\d$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z$/;
const DAY_MS = 86_400_000;

/** Reads `role:hash` or `role:hash:date`. */
export function parseTokenEntry(name: string, text: string): TokenEntry | EntryProblem {
  const [, role = '', digest = '', until] = /^([^:]*):([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  if (isTokenAsName(name)) {
    return { rule: 'a name is a token itself: expected a name that may be shown, then role:hash. Make a new token' };
  }
  if (looksLikeToken(text)) {
    return { rule: 'this is a token itself: expected role:hash, which --new-token prints beside it. Make a new one' };
  }
  if (!isRole(role)) {
    return { rule: `expected role:hash or role:hash:date, the role one of ${ROLES.join(', ')}` };
  }
  if (!DIGEST.test(digest)) {
    return { rule: 'expected role:hash, the hash the SHA-256 of the token: 64 hexadecimal digits' };
  }
  const voidFromMs = until === undefined ? undefined : endOf(until);
  if (until !== undefined && voidFromMs === undefined) {
    return { rule: 'expected as date after which it is void 2026-12-31 or 2026-12-31T18:00:00Z' };
  }
  return { name, role, digest: digest.toLowerCase(), voidFromMs };
}

/** What two entries of one table must not share. */
export function findConflicts(entries: readonly TokenEntry[]): { name: string; rule: string }[] {
  const byName = new Set<string>();
  const byDigest = new Map<string, string>();
  return entries.flatMap(({ name, digest }) => {
    const other = byDigest.get(digest);
    const isTwice = byName.has(name);
    byName.add(name);
    byDigest.set(digest, name);
    if (isTwice) {
      return [{ name, rule: 'there is a token of this name already' }];
    }
    return other === undefined ? [] : [{ name, rule: `has the hash of the token ${other}: expected one of its own` }];
  });
}

/** A day counts to its end. */
function endOf(text: string): number | undefined {
  const ms = DATE.test(text) || TIME.test(text) ? Date.parse(text) : NaN;
  // Date.parse takes the 30th of February for the 2nd of March.
  if (!Number.isFinite(ms) || !new Date(ms).toISOString().startsWith(text.slice(0, 10))) {
    return undefined;
  }
  return DATE.test(text) ? ms + DAY_MS : ms;
}
