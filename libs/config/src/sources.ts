import { readFileSync } from 'node:fs';

import { load } from 'js-yaml';

import type { ConfigProblem } from './errors.js';
import { ENV_PREFIX, type NamedSetting } from './setting.js';
import { didYouMean } from './suggest.js';

/** A value that was given for a key, and where. */
export interface GivenValue {
  named: NamedSetting;
  value: unknown;
  /** For messages, as "--http-port" or "config/scheduler.yaml". */
  from: string;
}

export interface Flags {
  given: GivenValue[];
  configFile: string | undefined;
  help: boolean;
  printConfig: boolean;
}

/** Reads `--flag value` and `--flag=value`. The last one counts. */
export function readFlags(
  argv: readonly string[],
  settings: readonly NamedSetting[],
  problems: ConfigProblem[],
): Flags {
  const flags: Flags = { given: [], configFile: undefined, help: false, printConfig: false };
  const rest = [...argv];
  for (let token = rest.shift(); token !== undefined; token = rest.shift()) {
    const equals = token.indexOf('=');
    const flag = equals < 0 ? token : token.slice(0, equals);
    const named = settings.find((candidate) => candidate.flag === flag);
    if (equals < 0 && (flag === '--help' || flag === '-h')) {
      flags.help = true;
    } else if (equals < 0 && flag === '--print-config') {
      flags.printConfig = true;
    } else if (named === undefined && flag !== '--config') {
      const known = [...settings.map((one) => one.flag), '--config', '--help', '--print-config'];
      // What stands alone may be a secret that lost its flag.
      const key = flag.startsWith('-') ? flag : 'an argument';
      problems.push({ key, rule: `there is no such flag${didYouMean(flag, known)}; --help lists them` });
      // What follows an unknown flag is most likely its value, and no problem of its own.
      dropValue(rest);
    } else {
      const alone = rest[0] === undefined || rest[0].startsWith('--');
      if (equals < 0 && alone && named?.setting.format.isBoolean !== true) {
        problems.push({ key: flag, rule: 'needs a value' });
        continue;
      }
      const value = equals >= 0 ? token.slice(equals + 1) : alone ? 'true' : rest.shift();
      if (named === undefined) {
        flags.configFile = value;
      } else {
        flags.given.push({ named, value, from: flag });
      }
    }
  }
  return flags;
}

/** Reads the variables that settings have, and names those that look like one and are none. */
export function readEnv(
  env: Readonly<Record<string, string | undefined>>,
  settings: readonly NamedSetting[],
  knownEnv: readonly string[],
): { given: GivenValue[]; unknown: string[] } {
  const given = settings
    .filter((named) => env[named.env] !== undefined)
    .map((named) => ({ named, value: env[named.env], from: named.env }));
  const known = new Set([...settings.map((named) => named.env), ...knownEnv]);
  const unknown = Object.keys(env).filter((name) => name.startsWith(ENV_PREFIX) && !known.has(name));
  return { given, unknown: unknown.sort() };
}

/** Reads the YAML file. A missing one is an error: who names a file means it. */
export function readFile(path: string, settings: readonly NamedSetting[], problems: ConfigProblem[]): GivenValue[] {
  let content: unknown;
  try {
    const text = readFileSync(path, 'utf8');
    content = isBlank(text) ? {} : load(text, { filename: path });
  } catch (error) {
    problems.push({ key: '--config', value: quote(path), rule: whyUnreadable(error) });
    return [];
  }
  const given: GivenValue[] = [];
  const walk = (node: unknown, above: readonly string[]): void => {
    if (typeof node !== 'object' || node === null || Array.isArray(node)) {
      const where = above.length === 0 ? path : above.join('.');
      // Not the value: it may be that of a secret whose name was forgotten.
      problems.push({ key: where, rule: `expected a map of settings, not ${kindOf(node)} (in ${path})` });
      return;
    }
    for (const [name, value] of Object.entries(node)) {
      const key = [...above, name].join('.');
      const named = settings.find((candidate) => candidate.key === key);
      if (named !== undefined) {
        given.push({ named, value, from: path });
      } else if (settings.some((candidate) => candidate.key.startsWith(`${key}.`))) {
        walk(value, [...above, name]);
      } else {
        const known = settings.map((one) => one.key);
        problems.push({ key, rule: `there is no such key (in ${path})${didYouMean(key, known)}` });
      }
    }
  };
  walk(content, []);
  return given;
}

/** What the YAML parser quotes may be a secret: a text that begins with * or ! and has no quotes is an alias or a tag. */
function whyUnreadable(error: unknown): string {
  const { code, message, reason, mark } = error as Error & { code?: string; reason?: string; mark?: { line?: number } };
  if (reason === undefined) {
    return code === 'ENOENT' ? 'there is no such file' : `cannot be read: ${message}`;
  }
  const [what = '', quoted] = reason.split(/["!:]/);
  const hint = quoted === undefined ? '' : ' (a text that begins with * or ! belongs in quotes)';
  return `is not YAML: ${what.trim()}${mark?.line === undefined ? '' : `, in line ${mark.line + 1}`}${hint}`;
}

function kindOf(node: unknown): string {
  return node === null ? 'nothing' : Array.isArray(node) ? 'a list' : `a ${typeof node}`;
}

export function quote(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

function isBlank(text: string): boolean {
  return text.split('\n').every((line) => /^\s*(#.*)?$/.test(line));
}

function dropValue(rest: string[]): void {
  if (rest[0] !== undefined && !rest[0].startsWith('-')) {
    rest.shift();
  }
}
