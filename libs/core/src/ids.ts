import { monotonicFactory } from 'ulid';

import type { Clock } from './clock.js';
import { InvalidValueError } from './errors.js';
import type { Random } from './random.js';

/** A job's id as users see it: its pool, a colon and a ULID. A job never changes its pool. */
export type JobId = string & { readonly __brand: 'JobId' };

/** The part of a job's id that is stored inside its pool's slot. */
export type Ulid = string & { readonly __brand: 'Ulid' };

/** What a pool may be called; it becomes part of a key, so this is the allow-list. */
export const POOL_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** What a worker, session, batch or client may be called. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export const ULID_PATTERN = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export interface JobAddress {
  pool: string;
  ulid: Ulid;
}

export function toJobId(pool: string, ulid: string): JobId {
  return `${pool}:${ulid}` as JobId;
}

/** Splits a job's id, or answers `undefined` when it cannot be one. */
export function parseJobId(id: string): JobAddress | undefined {
  const colon = id.indexOf(':');
  const pool = id.slice(0, colon);
  const ulid = id.slice(colon + 1);
  return colon > 0 && POOL_PATTERN.test(pool) && ULID_PATTERN.test(ulid) ? { pool, ulid: ulid as Ulid } : undefined;
}

/** @throws {InvalidValueError} when the pool's name is not on the allow-list. */
export function requirePoolName(pool: string, path = 'pool'): string {
  if (!POOL_PATTERN.test(pool)) {
    throw new InvalidValueError(path, `${path} is "${pool}": expected ${POOL_PATTERN.source}`);
  }
  return pool;
}

/** @throws {InvalidValueError} when the name is not on the allow-list. */
export function requireName(name: string, path: string): string {
  if (!NAME_PATTERN.test(name)) {
    throw new InvalidValueError(path, `${path} is "${name}": expected ${NAME_PATTERN.source}`);
  }
  return name;
}

/** Makes ULIDs that grow within this process, also within one millisecond. */
export function createUlids(deps: { clock: Clock; random: Random }): () => Ulid {
  const next = monotonicFactory(() => deps.random.next());
  return () => next(deps.clock.wallMs()) as Ulid;
}
