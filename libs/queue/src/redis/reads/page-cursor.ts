import { POOL_PATTERN } from '@orchestrator/core';

import { InvalidCursorError } from '../../errors.js';

/**
 * The last job that a page looked at: its entry in its pool's `created` stream, and its place in it. Pages go by time of
 * the entry, newest first, then by name of the pool: so one position stands for all pools.
 */
export interface PagePosition {
  ms: number;
  sequence: number;
  pool: string;
  index: number;
}

const PATTERN = /^1 (\d{1,15}) (\d{1,15}) (\S{1,63}) (\d{1,6})$/;

export function formatCursor({ ms, sequence, pool, index }: PagePosition): string {
  return Buffer.from(`1 ${ms} ${sequence} ${pool} ${index}`).toString('base64url');
}

/** @throws {InvalidCursorError} when it is not exactly what `formatCursor` makes */
export function parseCursor(cursor: string): PagePosition {
  const match = PATTERN.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  const [, ms, sequence, pool = '', index] = match ?? [];
  const position = { ms: Number(ms), sequence: Number(sequence), pool, index: Number(index) };
  if (!match || !POOL_PATTERN.test(pool) || formatCursor(position) !== cursor) {
    throw new InvalidCursorError('the cursor was not made by this store: expected nextCursor of the page before');
  }
  return position;
}
