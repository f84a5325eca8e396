import { toIsoTime } from '@orchestrator/core';

import type { LogFields } from './logger.js';

export type LogFormat = 'json' | 'pretty';

export interface LogLine {
  wallMs: number;
  level: string;
  message: string;
  fields: LogFields;
}

/** What JSON leaves as it is, and a terminal or a line-based reader does not: DEL, C1 controls, line separators. */
const UNSAFE = /[\u007f-\u009f\u2028\u2029]/g;
/** A value that needs no quotes on a terminal. */
const PLAIN = /^[\w.:/@+,%-]+$/;

const COLOUR: Readonly<Record<string, string>> = {
  debug: '\x1b[90m',
  info: '\x1b[32m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
};
const RESET = '\x1b[0m';

/** One line of text without its line end; no field can break out of it. */
export function formatLine(line: LogLine, format: LogFormat, colours: boolean): string {
  return format === 'json' ? toJsonLine(line) : toPrettyLine(line, colours);
}

function toJsonLine(line: LogLine): string {
  const { wallMs, level, message, fields } = line;
  const own = `{"time":"${toIsoTime(wallMs)}","level":"${level}","message":${safeJson(message)}`;
  const rest = safeJson(withoutOwn(fields));
  if (rest === '{}') {
    return `${own}}`;
  }
  // In any object what looks like an index comes first.
  return STARTS_WITH_INDEX.test(rest)
    ? safeJson({ time: toIsoTime(wallMs), level, message, ...withoutOwn(fields) })
    : `${own},${rest.slice(1)}`;
}

const STARTS_WITH_INDEX = /^\{"\d/;

const OWN: readonly string[] = ['time', 'level', 'message'];

/** A field may not take the place of what every line has. */
function withoutOwn(fields: LogFields): LogFields {
  if (!OWN.some((name) => Object.hasOwn(fields, name))) {
    return fields;
  }
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [OWN.includes(key) ? `${key}_` : key, value]));
}

function toPrettyLine({ wallMs, level, message, fields }: LogLine, colours: boolean): string {
  const time = toIsoTime(wallMs).slice(11, 23);
  const tag = level.toUpperCase().padEnd(5);
  const head = colours ? `${time} ${COLOUR[level] ?? ''}${tag}${RESET} ${message}` : `${time} ${tag} ${message}`;
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${PLAIN.test(key) ? key : safeJson(key)}=${prettyValue(value)}`);
  return [head, ...rest].join(' ');
}

function prettyValue(value: unknown): string {
  return typeof value === 'string' && PLAIN.test(value) ? value : safeJson(value);
}

/** JSON in which nothing can end a line, or do something to a terminal. */
export function safeJson(value: unknown): string {
  return (JSON.stringify(value) ?? 'null').replace(UNSAFE, toEscape);
}

function toEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
