import { CorruptRecordError } from '../../errors.js';

/** Typed access to the fields of a stored hash. An absent field counts as empty. Says whose record it is when it fails. */
export interface RecordFields {
  text(field: string): string | null;
  /** @throws {CorruptRecordError} when it is not a whole number */
  count(field: string): number;
  /** Like `count`, but null when it is empty. */
  time(field: string): number | null;
  /** @throws {CorruptRecordError} when it is not the JSON of an object */
  json<T extends object>(field: string): T | null;
  corrupt(field: string, expected: string): CorruptRecordError;
}

export function recordFields(owner: string, hash: Readonly<Record<string, string>>): RecordFields {
  const text = (field: string): string | null => hash[field] || null;
  const corrupt = (field: string, expected: string): CorruptRecordError =>
    new CorruptRecordError(`${owner} has the ${field} "${(hash[field] ?? '').slice(0, 60)}": expected ${expected}`);
  const time = (field: string): number | null => {
    const value = text(field);
    if (value === null) {
      return null;
    }
    if (!/^-?\d{1,16}$/.test(value)) {
      throw corrupt(field, 'a whole number');
    }
    return Number(value);
  };
  return {
    text,
    time,
    corrupt,
    count: (field) => time(field) ?? 0,
    json: <T extends object>(field: string): T | null => {
      const value = text(field);
      return value === null ? null : ((parseObject(value) as T | undefined) ?? raise(corrupt(field, 'a JSON object')));
    },
  };
}

/** The object or array that the text is the JSON of, or undefined. */
export function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function raise(error: Error): never {
  throw error;
}
