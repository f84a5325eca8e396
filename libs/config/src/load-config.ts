import convict from 'convict';

import type { ProgramCommand } from './command.js';
import { ConfigError, type ConfigProblem } from './errors.js';
import { maskUrl } from './formats.js';
import { renderConfig, renderHelp } from './render.js';
import { type ConfigOf, type ConfigSchema, type NamedSetting, namedSettings } from './setting.js';
import { type GivenValue, quote, readEnv, readFile, readFlags } from './sources.js';

export interface LoadConfigOptions<S> {
  /** For --help, as "orchestrator-scheduler". */
  program: string;
  schema: S;
  /** Without node and script: `process.argv.slice(2)`. */
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Rules over several keys; called when each key by itself is good. `given`: the keys that were said. */
  crossCheck?(config: ConfigOf<S>, given: ReadonlySet<string>): ConfigProblem[];
  /** Variables with our prefix that are others' and need no warning. */
  knownEnv?: readonly string[];
  /** For --help; `readCommand` reads them. */
  commands?: readonly ProgramCommand[];
}

export interface LoadedConfig<C> {
  outcome: 'run';
  /** Frozen in depth. */
  config: C;
  /** Sentences to log at the start. */
  warnings: string[];
  /** Values for the logger to mask. */
  secrets: string[];
}

/** --help or --print-config: print this and exit 0. */
export interface ConfigAnswer {
  outcome: 'answer';
  text: string;
}

/**
 * Puts a configuration together: defaults < YAML file < environment < flags. Convict holds schema, values and
 * the final strict validation; values are read by our formats before they reach it, because its own turn "15s" into
 * 15 and "no" into true, and leave nested keys of a file as they are.
 * @throws {ConfigError} when anything is unknown, unparsable or contradictory; all problems at once.
 */
export function loadConfig<S extends ConfigSchema>(
  options: LoadConfigOptions<S>,
): LoadedConfig<ConfigOf<S>> | ConfigAnswer {
  const settings = namedSettings(options.schema);
  const problems: ConfigProblem[] = [];
  const flags = readFlags(options.argv, settings, problems);
  if (flags.help) {
    return { outcome: 'answer', text: renderHelp(options.program, settings, options.commands ?? []) };
  }
  const fromFile = flags.configFile === undefined ? [] : readFile(flags.configFile, settings, problems);
  const { given: fromEnv, unknown } = readEnv(options.env, settings, options.knownEnv ?? []);

  const store = createStore(options.schema);
  const secrets: string[] = [];
  const all = [...fromFile, ...fromEnv, ...flags.given];
  for (const given of all) {
    take(given, store, secrets, problems);
  }
  failOn(problems);
  validate(store);

  const config = deepFreeze(plain(settings, store)) as ConfigOf<S>;
  failOn(options.crossCheck?.(config, new Set(all.map(({ named }) => named.key))) ?? []);
  if (flags.printConfig) {
    return { outcome: 'answer', text: renderConfig(settings, (named) => valueOf(store, named)) };
  }
  const warnings = [
    ...unknown.map((name) => `the environment variable ${name} is not known and was ignored`),
    ...flags.given
      .filter((given) => secretsOf(given).length > 0)
      .map(({ from }) => `a secret was given as ${from}: others on this machine could see it; a file hides it`),
  ];
  return { outcome: 'run', config, warnings, secrets };
}

/** Convict walks into objects and would take a map's names for keys: each value travels in a list of one. */
type Boxed = readonly [value: unknown];

type Store = convict.Config<Record<string, unknown>>;

function createStore(schema: ConfigSchema): Store {
  const toConvict = (node: ConfigSchema): Record<string, unknown> => {
    const entries = Object.entries(node).map(([name, child]): [string, unknown] => {
      const [own] = namedSettings({ [name]: child });
      if (own === undefined || own.path.length > 1) {
        return [name, toConvict(child as ConfigSchema)];
      }
      const { doc, sensitive } = own.setting;
      return [name, { doc, sensitive, format: requireBoxed, default: [own.setting.default] }];
    });
    return Object.fromEntries(entries);
  };
  return convict(toConvict(schema) as convict.Schema<Record<string, unknown>>, { args: [], env: {} });
}

function requireBoxed(value: unknown): void {
  if (!Array.isArray(value) || value.length !== 1) {
    throw new Error('was not read by its format');
  }
}

function take(given: GivenValue, store: Store, secrets: string[], problems: ConfigProblem[]): void {
  const { named, value, from } = given;
  const { setting, key } = named;
  const parsed = setting.format.parse(value);
  if (parsed === undefined) {
    const shown = mayShow(given) ? { value: maskUrl(quote(value)) } : {};
    problems.push({ key, ...shown, rule: `expected ${setting.format.expects} (from ${from})` });
    return;
  }
  secrets.push(...secretsOf(given));
  store.set(key, [parsed] satisfies Boxed);
}

/** Of what should have been an address the password may stand anywhere, or be all of it: a scheme and a host hold none. */
function mayShow({ named: { setting }, value }: GivenValue): boolean {
  const isHarmless = typeof value === 'string' && /^[a-z]+:\/\/[A-Za-z0-9.]*$/.test(value);
  return !setting.sensitive && (setting.format.secrets === undefined || isHarmless);
}

function secretsOf({ named: { setting }, value }: GivenValue): string[] {
  const parsed = setting.format.parse(value);
  const own = setting.sensitive && typeof parsed === 'string' ? [parsed] : [];
  return [...own, ...(parsed === undefined ? [] : (setting.format.secrets?.(parsed) ?? []))];
}

function validate(store: Store): void {
  try {
    store.validate({ allowed: 'strict' });
  } catch (error) {
    throw new ConfigError([{ key: 'schema', rule: (error as Error).message }]);
  }
}

function valueOf(store: Store, named: NamedSetting): unknown {
  return (store.get(named.key) as Boxed)[0];
}

function plain(settings: readonly NamedSetting[], store: Store): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const named of settings) {
    let node = root;
    for (const part of named.path.slice(0, -1)) {
      node = (node[part] ??= {}) as Record<string, unknown>;
    }
    node[named.path.at(-1) ?? ''] = structuredClone(valueOf(store, named));
  }
  return root;
}

function failOn(problems: readonly ConfigProblem[]): void {
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
