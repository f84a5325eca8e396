/** How the values of one kind of setting are read, strictly, and shown. */
export interface Format<T> {
  /** For --help, as "port" or "duration". */
  name: string;
  /** What is accepted, for error messages; follows the word "expected". */
  expects: string;
  /**
   * Reads a value of the file (any YAML) or of the environment and flags (always a string).
   * Answers `undefined` when it is not acceptable; nothing is ever coerced beyond what `expects` says.
   */
  parse(value: unknown): T | undefined;
  /** As it would stand in the file, credentials masked. */
  show(value: T): unknown;
  /** What a log must never contain of it. */
  secrets?(value: T): string[];
  /** A flag of it may stand alone and is then `true`. */
  isBoolean?: boolean;
}

export interface SettingOptions<T> {
  /** One sentence for --help. */
  doc: string;
  default: T;
  /** How the default reads in --help, when it is computed. */
  defaultText?: string;
  /** Never shown, never logged. Default false. */
  sensitive?: boolean;
}

/** One key of a configuration. */
export class Setting<T> {
  readonly doc: string;
  readonly default: T;
  readonly defaultText: string | undefined;
  readonly sensitive: boolean;

  constructor(
    readonly format: Format<NonNullable<T>>,
    options: SettingOptions<T>,
  ) {
    this.doc = options.doc;
    this.default = options.default;
    this.defaultText = options.defaultText;
    this.sensitive = options.sensitive ?? false;
  }
}

/** Settings by name; the names on the way to one, joined by dots, are its key. */
export interface ConfigSchema {
  readonly [name: string]: Setting<unknown> | ConfigSchema;
}

/** What a schema's configuration looks like. */
export type ConfigOf<S> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : ConfigOf<S[K]>;
};

/** A setting with its names in the three places it can come from. */
export interface NamedSetting {
  /** As in "http.allowedHosts". */
  key: string;
  path: readonly string[];
  /** As in "ORCHESTRATOR_HTTP_ALLOWED_HOSTS". */
  env: string;
  /** As in "--http-allowed-hosts". */
  flag: string;
  setting: Setting<unknown>;
}

export const ENV_PREFIX = 'ORCHESTRATOR_';

/** Lists a schema's settings in order, with the names that follow from their keys, without exceptions. */
export function namedSettings(schema: ConfigSchema, above: readonly string[] = []): NamedSetting[] {
  return Object.entries(schema).flatMap(([name, node]) => {
    const path = [...above, name];
    if (!(node instanceof Setting)) {
      return namedSettings(node, path);
    }
    const words = path.map((part) => part.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)).join('-');
    return [
      {
        key: path.join('.'),
        path,
        env: ENV_PREFIX + words.toUpperCase().replaceAll('-', '_'),
        flag: `--${words}`,
        setting: node,
      },
    ];
  });
}
