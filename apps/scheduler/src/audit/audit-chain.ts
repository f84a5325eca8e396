import { createHash } from 'node:crypto';

import { safeJson } from '@orchestrator/telemetry';

/** What the line before the first one is taken to have had. */
export const NO_HASH = '0'.repeat(64);

/** Where a chain is: its last line. */
export interface ChainHead {
  /** Of the last line; 0: there is none yet. */
  readonly seq: number;
  readonly hash: string;
}

export const CHAIN_START: ChainHead = { seq: 0, hash: NO_HASH };

const LINE = /^(\{"seq":(\d{1,15}),.*,"prev":"([0-9a-f]{64})"),"hash":"([0-9a-f]{64})"\}$/s;

/**
 * The next line of a chain, without its line end: what it says, its number, the hash of the line before it, and a hash
 * over all of that, as it stands there.
 */
export function toChainLine(head: ChainHead, said: object): { line: string; head: ChainHead } {
  const seq = head.seq + 1;
  const body = safeJson({ seq, ...said, prev: head.hash }).slice(0, -1);
  const hash = hashOf(body);
  return { line: `${body},"hash":"${hash}"}`, head: { seq, hash } };
}

export interface ChainLine extends ChainHead {
  /** Hash of the line before it. */
  prev: string;
  said: Readonly<Record<string, unknown>>;
}

/** Undefined: it is none, or was changed. */
export function readChainLine(line: string): ChainLine | undefined {
  const [, body, seq, prev, hash] = LINE.exec(line) ?? [];
  if (body === undefined || seq === undefined || prev === undefined || hash !== hashOf(body)) {
    return undefined;
  }
  try {
    return { seq: Number(seq), prev, hash, said: JSON.parse(line) as Record<string, unknown> };
  } catch {
    return undefined;
  }
}

function hashOf(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}
