import { parseDurationMs } from '@orchestrator/core';

import { type Format, Setting, type SettingOptions } from './setting.js';

/** A whole number. `15s`, `1e3`, `3.9` and the empty string are none. */
export function integer(options: SettingOptions<number> & { min?: number; max?: number }): Setting<number> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = options;
  return new Setting(integerFormat('integer', min, max), options);
}

/** A TCP port; 0 is any free one. */
export function port(options: SettingOptions<number>): Setting<number> {
  return new Setting(integerFormat('port', 0, 65_535), options);
}

/** A port that may be left out. */
export function optionalPort(options: SettingOptions<number | undefined>): Setting<number | undefined> {
  return new Setting<number | undefined>(integerFormat('port', 0, 65_535), options);
}

/** A duration in milliseconds; written as seconds or with a unit. */
export function duration(options: SettingOptions<number> & { minMs?: number; maxMs?: number }): Setting<number> {
  const { minMs = 0, maxMs = Number.MAX_SAFE_INTEGER } = options;
  const range =
    minMs > 0 || options.maxMs !== undefined ? ` between ${showDuration(minMs)} and ${showDuration(maxMs)}` : '';
  return new Setting(
    {
      name: 'duration',
      expects: `seconds, or a number with ms, s, m, h or d, as in 500ms${range}`,
      parse: (value) => {
        const ms = durationMs(value);
        return ms !== undefined && ms >= minMs && ms <= maxMs ? ms : undefined;
      },
      show: showDuration,
    },
    options,
  );
}

/** Only true, false, 1 and 0. */
export function boolean(options: SettingOptions<boolean>): Setting<boolean> {
  const words: Readonly<Record<string, boolean>> = { true: true, false: false, '1': true, '0': false };
  return new Setting(
    {
      name: 'boolean',
      expects: 'true or false',
      parse: (value) => (typeof value === 'boolean' ? value : words[String(value)]),
      show: (value) => value,
      isBoolean: true,
    },
    options,
  );
}

export function oneOf<const T extends string>(values: readonly T[], options: SettingOptions<T>): Setting<T> {
  return new Setting<T>(
    {
      name: values.join('|'),
      expects: `one of ${values.join(', ')}`,
      parse: (value) => values.find((candidate): candidate is NonNullable<T> => candidate === value),
      show: (value) => value,
    },
    options,
  );
}

/** A key of the contract whose feature is not there yet: giving it is refused, never ignored. */
export function later(doc: string): Setting<undefined> {
  return new Setting<undefined>(
    {
      name: 'later',
      expects: 'nothing yet: this comes with a later version',
      parse: () => undefined,
      show: () => null,
    },
    { doc: `${doc} Comes with a later version.`, default: undefined, sensitive: true },
  );
}

export interface TextRule {
  pattern?: RegExp;
  /** What the pattern means, for messages. */
  expects?: string;
}

export function text(options: SettingOptions<string> & TextRule): Setting<string> {
  return new Setting(textFormat(options), options);
}

export function optionalText(options: SettingOptions<string | undefined> & TextRule): Setting<string | undefined> {
  return new Setting<string | undefined>(textFormat(options), options);
}

/** Texts separated by commas, or a list in the file. Empty items are refused. */
export function list(
  options: SettingOptions<readonly string[]> & TextRule & { atLeastOne?: boolean },
): Setting<readonly string[]> {
  const item = textFormat(options);
  return new Setting<readonly string[]>(
    {
      name: 'list',
      expects: `a list${options.atLeastOne === true ? ' of at least one' : ''}, separated by commas; each ${item.expects}`,
      parse: (value) => {
        const parts = typeof value === 'string' ? splitList(value) : value;
        if (!Array.isArray(parts) || (options.atLeastOne === true && parts.length === 0)) {
          return undefined;
        }
        const items = parts.map((part: unknown) => item.parse(part));
        return items.every((one) => one !== undefined) ? items : undefined;
      },
      show: (value) => [...value],
    },
    options,
  );
}

/** `k=v,k=v`, or a map of texts in the file. */
export function map(
  options: SettingOptions<Readonly<Record<string, string>>> & { keyPattern?: RegExp },
): Setting<Readonly<Record<string, string>>> {
  return new Setting<Readonly<Record<string, string>>>(
    {
      name: 'map',
      expects: 'k=v pairs separated by commas, or a map of texts in the file',
      parse: (value) => {
        const pairs = typeof value === 'string' ? splitList(value).map(splitPair) : entriesOf(value);
        const isGood = (pair: readonly [string, unknown] | undefined): pair is readonly [string, string] =>
          pair !== undefined &&
          typeof pair[1] === 'string' &&
          pair[0] !== '' &&
          (options.keyPattern ?? /^[^\s=,]+$/).test(pair[0]);
        return pairs?.every(isGood) === true ? Object.fromEntries(pairs) : undefined;
      },
      show: (value) => ({ ...value }),
    },
    options,
  );
}

export const HOST_PATTERN = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?)$/;
/** The port is one that can be dialed: 1 to 65535. */
export const HOST_PORT_PATTERN =
  /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]+\]):(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/;

/** Where Redis is: `redis://`, `rediss://` or `unix://`. Its password is never shown. */
export function redisUrl(options: SettingOptions<string>): Setting<string> {
  return new Setting(redisUrlFormat(), options);
}

/** Several of them. */
export function redisUrls(options: SettingOptions<readonly string[]>): Setting<readonly string[]> {
  const one = redisUrlFormat();
  return new Setting<readonly string[]>(
    {
      name: 'list',
      expects: `a list, separated by commas; each ${one.expects}`,
      parse: (value) => {
        const parts = typeof value === 'string' ? splitList(value) : value;
        const urls = Array.isArray(parts) ? parts.map((part: unknown) => one.parse(part)) : [undefined];
        return urls.every((url) => url !== undefined) ? urls : undefined;
      },
      show: (value) => value.map(maskUrl),
      secrets: (value) => value.flatMap(urlSecrets),
    },
    options,
  );
}

/** Replaces the credentials of an address, also inside a longer text. */
export function maskUrl(text: string): string {
  return text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/@\s]+@/gi, '$1[redacted]@');
}

/** Milliseconds as a person would write them. */
export function showDuration(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const;
  const unit = units.find(([, size]) => ms >= size && ms % size === 0);
  return unit ? `${ms / unit[1]}${unit[0]}` : ms === 0 ? '0s' : `${ms}ms`;
}

function integerFormat(name: string, min: number, max: number): Format<number> {
  return {
    name,
    expects:
      min === Number.MIN_SAFE_INTEGER && max === Number.MAX_SAFE_INTEGER
        ? 'a whole number'
        : max === Number.MAX_SAFE_INTEGER
          ? `a whole number, ${min} or more`
          : `a whole number between ${min} and ${max}`,
    parse: (value) => {
      const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
      return Number.isSafeInteger(number) && (number as number) >= min && (number as number) <= max
        ? (number as number)
        : undefined;
    },
    show: (value) => value,
  };
}

function textFormat(rule: TextRule): Format<string> {
  return {
    name: 'text',
    expects: rule.expects ?? (rule.pattern ? `text that matches ${rule.pattern.source}` : 'text, not empty'),
    parse: (value) =>
      typeof value === 'string' && value !== '' && !value.includes('\0') && (rule.pattern?.test(value) ?? true)
        ? value
        : undefined,
    show: (value) => value,
  };
}

function redisUrlFormat(): Format<string> {
  return {
    name: 'redis url',
    expects:
      'an address such as redis://host:6379, rediss://host:6379 or unix:///path/to/redis.sock (memory: comes with a later version)',
    parse: (value) => (typeof value === 'string' && isRedisUrl(value) ? value : undefined),
    show: maskUrl,
    secrets: urlSecrets,
  };
}

function isRedisUrl(value: string): boolean {
  if (value.startsWith('unix://')) {
    return /^unix:\/\/\/[^\0?]+$/.test(value);
  }
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return (
    url !== undefined &&
    ['redis:', 'rediss:'].includes(url.protocol) &&
    url.hostname !== '' &&
    /^(\/\d*)?$/.test(url.pathname) &&
    // ioredis takes `?password=` from there, where nothing would mask it.
    url.search === '' &&
    url.hash === ''
  );
}

/** The password in an address. */
export function urlSecrets(value: string): string[] {
  const password = URL.canParse(value) ? new URL(value).password : '';
  return password === '' ? [] : [decodeURIComponent(password)];
}

function durationMs(value: unknown): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') {
    return undefined;
  }
  try {
    return parseDurationMs(value);
  } catch {
    return undefined;
  }
}

/** At its commas, without the space around the parts. */
export function splitList(value: string): string[] {
  return value.trim() === '' ? [] : value.split(',').map((part) => part.trim());
}

function splitPair(pair: string): readonly [string, string] | undefined {
  const equals = pair.indexOf('=');
  return equals > 0 ? [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()] : undefined;
}

function entriesOf(value: unknown): (readonly [string, unknown])[] | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
}
