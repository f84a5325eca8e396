import { invalid } from './problem.js';

export interface BodyLimits {
  maxDepth: number;
  maxKeys: number;
}

export const JOB_BODY_BYTES = 1024 * 1024;
export const BATCH_BODY_BYTES = 16 * 1024 * 1024;
export const BODY_LIMITS: BodyLimits = { maxDepth: 64, maxKeys: 500_000 };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a JSON body strictly: valid UTF-8, bounded depth and number of keys (looked at before anything is built), no
 * lone surrogates, no number beyond a double, no `__proto__`. What passes can be written as JSON again, unchanged.
 * @returns undefined for an empty body.
 * @throws {ProblemError} 400
 */
export function parseBody(bytes: Buffer, limits: BodyLimits = BODY_LIMITS): unknown {
  if (bytes.length === 0) {
    return undefined;
  }
  requireBounded(bytes, limits);
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    throw invalid('', 'the body is not valid UTF-8');
  }
  let body: unknown;
  try {
    body = JSON.parse(text) as unknown;
  } catch (error) {
    // V8 quotes the body in its message; only the place is told.
    const place = /position \d+/.exec((error as Error).message)?.[0];
    throw invalid('', `the body is not valid JSON${place === undefined ? '' : ` at ${place}`}`);
  }
  if (!isFaithful(body)) {
    requireFaithful(body, '');
  }
  return body;
}

/** Whether `requireFaithful` lets it pass: without the paths, which are for who is told what is wrong. */
function isFaithful(value: unknown): boolean {
  if (typeof value === 'string') {
    return isWellFormed(value);
  }
  if (typeof value === 'number') {
    return Number.isFinite(value);
  }
  if (Array.isArray(value)) {
    return value.every(isFaithful);
  }
  if (typeof value === 'object' && value !== null) {
    return Object.keys(value).every(
      (key) => isWellFormed(key) && key !== '__proto__' && isFaithful((value as Record<string, unknown>)[key]),
    );
  }
  return true;
}

function requireBounded(bytes: Buffer, { maxDepth, maxKeys }: BodyLimits): void {
  let depth = 0;
  let keys = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    switch (bytes[i]) {
      case QUOTE:
        i = endOfString(bytes, i);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        if (depth > maxDepth) {
          throw invalid('', `the body is nested deeper than ${maxDepth} levels`);
        }
        break;
      case 0x5d:
      case 0x7d:
        depth -= 1;
        break;
      case COLON:
        keys += 1;
        break;
      default:
    }
  }
  if (keys > maxKeys) {
    throw invalid('', `the body has more than ${maxKeys} keys`);
  }
}

function endOfString(bytes: Buffer, start: number): number {
  let end = bytes.indexOf(QUOTE, start + 1);
  while (end > 0 && isEscaped(bytes, end, start)) {
    end = bytes.indexOf(QUOTE, end + 1);
  }
  return end < 0 ? bytes.length : end;
}

function isEscaped(bytes: Buffer, at: number, start: number): boolean {
  let backslashes = 0;
  while (at - 1 - backslashes > start && bytes[at - 1 - backslashes] === BACKSLASH) {
    backslashes += 1;
  }
  return backslashes % 2 === 1;
}

function requireFaithful(value: unknown, path: string): void {
  if (typeof value === 'string') {
    requireWellFormed(value, path);
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) {
      throw invalid(path, 'the number is too large');
    }
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => requireFaithful(item, `${path}[${index}]`));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      const inner = path === '' ? key : `${path}.${key}`;
      requireWellFormed(key, path);
      if (key === '__proto__') {
        throw invalid(inner, 'this name is not allowed');
      }
      requireFaithful(item, inner);
    }
  }
}

function requireWellFormed(text: string, path: string): void {
  if (!isWellFormed(text)) {
    throw invalid(path, 'the text has half of a surrogate pair');
  }
}

/** It is in Node 20, not yet in the types of es2023. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
