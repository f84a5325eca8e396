import { InvalidValueError } from '@orchestrator/core';

/**
 * When what is submitted counts as accepted: `memory` = Redis has executed it; `disk` = it is in Redis' append-only
 * file, flushed to the disk; `replica:n` = n replicas have received it as well.
 */
export type Durability = 'memory' | 'disk' | `replica:${number}`;

export const DURABILITY_EXPECTS = 'memory, disk or replica:n with n from 1 to 9';

/** Undefined when it is none. */
export function parseDurability(value: unknown): Durability | undefined {
  return typeof value === 'string' && /^(memory|disk|replica:[1-9])$/.test(value) ? (value as Durability) : undefined;
}

/** @throws {InvalidValueError} */
export function requireDurability(value: unknown): Durability {
  const durability = parseDurability(value);
  if (durability === undefined) {
    throw new InvalidValueError('durability', `durability is ${JSON.stringify(value)}: expected ${DURABILITY_EXPECTS}`);
  }
  return durability;
}

/** How many replicas have to confirm; 0 at the levels that ask none. */
export function replicasOf(durability: Durability): number {
  return durability.startsWith('replica:') ? Number(durability.slice('replica:'.length)) : 0;
}
