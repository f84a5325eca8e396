import type { Role } from './role.js';

/** Who sent a request. */
export interface Caller {
  /** The token's name in `auth.tokens`; undefined where nobody is asked for a token. */
  readonly name: string | undefined;
  readonly role: Role;
}

/** Where no token is asked for: whoever reaches the port may do everything. */
export const ANYBODY: Caller = { name: undefined, role: 'admin' };

/** Where tokens are asked for and none was known, or the route is open. */
export const NOBODY: Caller = { name: undefined, role: 'viewer' };
