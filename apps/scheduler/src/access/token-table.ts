import { digestOf } from './token.js';
import type { TokenEntry } from './token-entry.js';

/**
 * The tokens that are configured, by their hash. What is looked up is the hash of what was presented: how long that takes
 * says nothing of any token.
 */
export class TokenTable {
  readonly #fixed: readonly TokenEntry[];
  #byDigest: ReadonlyMap<string, TokenEntry>;

  /** `fixed`: of the configuration itself, which does not change. */
  constructor(fixed: readonly TokenEntry[]) {
    this.#fixed = fixed;
    this.#byDigest = toMap(fixed);
  }

  /** Takes what the file holds now, all of it at once. */
  replaceFile(entries: readonly TokenEntry[]): void {
    this.#byDigest = toMap([...this.#fixed, ...entries]);
  }

  find(token: string): TokenEntry | undefined {
    return this.#byDigest.get(digestOf(token));
  }
}

function toMap(entries: readonly TokenEntry[]): ReadonlyMap<string, TokenEntry> {
  return new Map(entries.map((entry) => [entry.digest, entry]));
}
