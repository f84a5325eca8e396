import type { Clock } from '@orchestrator/core';
import type { Logger } from '@orchestrator/telemetry';

import { ANYBODY, type Caller } from './caller.js';
import type { TokenEntry } from './token-entry.js';
import type { TokenTable } from './token-table.js';

export interface AccessControlParams {
  /** Undefined: none are configured, nobody is asked. */
  tokens: TokenTable | undefined;
  clock: Clock;
  logger: Logger;
}

/** Why a request has no caller. `missing`: it did not even try. */
export type Refusal = 'missing' | 'malformed' | 'unknown';

/** RFC 6750. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]{1,256}=*)$/i;
const MAX_HEADER_LENGTH = 512;
const SAY_AGAIN_AFTER_MS = 60_000;

/** Tells from the header `Authorization` who calls. */
export class AccessControl {
  readonly #params: AccessControlParams;
  /** When a void token was last told of, by its name. */
  readonly #told = new Map<string, number>();

  constructor(params: AccessControlParams) {
    this.#params = params;
  }

  /** Whether tokens are configured: all but the open routes ask for one then. */
  get asksForTokens(): boolean {
    return this.#params.tokens !== undefined;
  }

  authenticate(authorization: string | undefined): Caller | Refusal {
    const { tokens, clock } = this.#params;
    if (tokens === undefined) {
      return ANYBODY;
    }
    if (authorization === undefined || authorization === '') {
      return 'missing';
    }
    const token = authorization.length > MAX_HEADER_LENGTH ? undefined : BEARER.exec(authorization)?.[1];
    if (token === undefined) {
      return 'malformed';
    }
    const entry = tokens.find(token);
    if (entry === undefined) {
      return 'unknown';
    }
    if (entry.voidFromMs !== undefined && clock.wallMs() >= entry.voidFromMs) {
      this.#tell(entry);
      // Whoever presents it learns no more than of one that never was.
      return 'unknown';
    }
    return { name: entry.name, role: entry.role };
  }

  #tell({ name, voidFromMs = 0 }: TokenEntry): void {
    const now = this.#params.clock.monotonicMs();
    const last = this.#told.get(name);
    if (last === undefined || now - last >= SAY_AGAIN_AFTER_MS) {
      this.#told.set(name, now);
      this.#params.logger.warn('a token was presented that is void', {
        who: name,
        since: new Date(voidFromMs).toISOString(),
      });
    }
  }
}
