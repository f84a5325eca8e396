import type { LogFields } from './logger.js';

export const REDACTED = '[redacted]';

/** Longer strings are cut: a log line is for reading. */
const MAX_STRING = 8 * 1024;
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
/** Shorter ones would blank out ordinary words. */
const MIN_SECRET_LENGTH = 4;

const SECRET_KEY =
  /^(env|stdin|cookie|set-cookie|authorization)$|(password|passwd|passphrase|secret|credential|token|api[-_]?key|private[-_]?key)s?$/i;
const URL_CREDENTIALS = /(\b[a-z][a-z0-9+.-]*:\/\/)[^/@\s"]+@/gi;
/** Names of fields are few; of one that comes from a user more may be new than are worth to be remembered. */
const MAX_KNOWN_KEYS = 1_000;

export interface Redact {
  /** Of `fields` over `own`. `withStacks`: errors keep their stack. */
  (own: LogFields, fields: LogFields, withStacks: boolean): LogFields;
  /** Values that were not known before; what a credential was before it changed stays masked, too. */
  mask(secrets: readonly string[]): void;
}

/** Credentials that change every hour are masked for days, and a line costs the same for ever. */
const MAX_MASKED = 256;

/**
 * Makes a copy of a line's fields that may be written down: values under names such as `token` and the known secrets
 * themselves are replaced, wherever they stand; errors become plain data; everything is cut to a bounded size.
 */
export function createRedact(secrets: readonly string[]): Redact {
  const fixed = variantsOf(secrets);
  let masked: string[] = [];
  let known = fixed;

  const text = (value: string): string => {
    let out = value;
    for (const secret of known) {
      out = out.replaceAll(secret, REDACTED);
    }
    if (out.includes('://')) {
      out = out.replace(URL_CREDENTIALS, `$1${REDACTED}@`);
    }
    return out.length > MAX_STRING ? `${out.slice(0, MAX_STRING)}… (${out.length} characters)` : out;
  };

  let keys = new Map<string, { shown: string; isSecret: boolean }>();
  const keyOf = (key: string): { shown: string; isSecret: boolean } => {
    let known = keys.get(key);
    if (known === undefined) {
      known = { shown: text(key), isSecret: SECRET_KEY.test(key) };
      if (keys.size < MAX_KNOWN_KEYS && key.length <= MAX_STRING) {
        keys.set(key, known);
      }
    }
    return known;
  };

  const walk = (value: unknown, depth: number, withStacks: boolean): unknown => {
    switch (typeof value) {
      case 'string':
        return text(value);
      case 'bigint':
        return String(value);
      case 'function':
      case 'symbol':
        return `[${typeof value}]`;
      case 'object':
        return value === null ? null : object(value, depth, withStacks);
      default:
        return value;
    }
  };

  const object = (value: object, depth: number, withStacks: boolean): unknown => {
    if (depth >= MAX_DEPTH) {
      return '[deeper]';
    }
    if (value instanceof Error) {
      return object(errorFields(value, withStacks), depth, withStacks);
    }
    if (Buffer.isBuffer(value) || ArrayBuffer.isView(value)) {
      return `[${value.byteLength} bytes]`;
    }
    if (value instanceof Date) {
      return Number.isNaN(value.getTime()) ? null : value.toISOString();
    }
    const items = value instanceof Map ? [...value.entries()] : value instanceof Set ? [...value] : value;
    if (Array.isArray(items)) {
      return items.slice(0, MAX_ITEMS).map((item) => walk(item, depth + 1, withStacks));
    }
    const copy: LogFields = {};
    for (const key of Object.keys(items).slice(0, MAX_ITEMS)) {
      put(copy, key, (items as LogFields)[key], depth, withStacks);
    }
    return copy;
  };

  const put = (copy: LogFields, key: string, value: unknown, depth: number, withStacks: boolean): void => {
    const { shown, isSecret } = keyOf(key);
    const item = isSecret ? REDACTED : walk(value, depth + 1, withStacks);
    if (shown === '__proto__') {
      Object.defineProperty(copy, shown, { value: item, enumerable: true, configurable: true, writable: true });
    } else {
      copy[shown] = item;
    }
  };

  // As of `{ ...own, ...fields }`, which would cost as much as all the rest.
  const redact = (own: LogFields, fields: LogFields, withStacks: boolean): LogFields => {
    const copy: LogFields = {};
    let room = MAX_ITEMS;
    for (const key in own) {
      room -= 1;
      put(copy, key, Object.hasOwn(fields, key) ? fields[key] : own[key], 0, withStacks);
    }
    for (const key of Object.keys(fields)) {
      if (!Object.hasOwn(own, key) && room > 0) {
        room -= 1;
        put(copy, key, fields[key], 0, withStacks);
      }
    }
    return copy;
  };
  return Object.assign(redact, {
    mask: (more: readonly string[]) => {
      masked = [...new Set([...masked, ...more])].slice(-MAX_MASKED);
      known = longestFirst([...fixed, ...variantsOf(masked)]);
      keys = new Map();
    },
  });
}

/** As it may stand in a line: as it is, inside JSON, inside an address. */
function variantsOf(secrets: readonly string[]): string[] {
  const variants = secrets
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]);
  return longestFirst([...new Set(variants)]);
}

/** One that is the beginning of another would leave the rest of it. */
function longestFirst(texts: readonly string[]): string[] {
  return [...texts].sort((a, b) => b.length - a.length);
}

/** What a log line tells of an error; its cause included. */
function errorFields(error: Error, withStack: boolean): LogFields {
  const code = (error as { code?: unknown }).code;
  return {
    name: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(withStack && error.stack !== undefined ? { stack: error.stack } : {}),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  };
}
