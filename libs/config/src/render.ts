import { dump } from 'js-yaml';

import type { ProgramCommand } from './command.js';
import type { NamedSetting } from './setting.js';

const MASK = '[redacted]';

/** The whole configuration as a file would say it, secrets masked, without what is not set. */
export function renderConfig(settings: readonly NamedSetting[], valueOf: (named: NamedSetting) => unknown): string {
  const root: Record<string, unknown> = {};
  for (const named of settings) {
    const value = valueOf(named);
    if (value === undefined) {
      continue;
    }
    let node = root;
    for (const part of named.path.slice(0, -1)) {
      node = (node[part] ??= {}) as Record<string, unknown>;
    }
    node[named.path.at(-1) ?? ''] = shown(named, value);
  }
  return dump(root, { lineWidth: 120 });
}

/** Every key with its sentence, format, default, variable and flag. */
export function renderHelp(
  program: string,
  settings: readonly NamedSetting[],
  commands: readonly ProgramCommand[],
): string {
  const lines = [
    `Usage: ${program} [--config FILE] [--print-config] [--help] [--KEY VALUE ...]`,
    '',
    'Defaults are overridden by the file, the file by the environment, the environment by flags.',
    'Lists are separated by commas, maps are k=v,k=v, durations are seconds or have a unit (500ms, 15s, 2h).',
    '',
    '  --config FILE    YAML file with the keys below',
    '  --print-config   show the resulting configuration, secrets masked, and exit',
    '  --help           show this and exit',
    ...commands.flatMap(({ flag, value, doc }) => ['', `  ${flag} ${value}`, `      ${doc}`]),
  ];
  for (const named of settings) {
    const { setting } = named;
    lines.push(
      '',
      `  ${named.flag} <${setting.format.name}>`,
      `      ${setting.doc}`,
      `      key ${named.key}, environment ${named.env}, default ${defaultOf(named)}${secrecyOf(named)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function secrecyOf({ setting }: NamedSetting): string {
  return setting.sensitive ? ', never shown' : setting.format.secrets === undefined ? '' : ', its password never shown';
}

function defaultOf(named: NamedSetting): string {
  const { setting } = named;
  if (setting.defaultText !== undefined) {
    return setting.defaultText;
  }
  if (setting.default === undefined) {
    return 'none';
  }
  const value = shown(named, setting.default);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function shown({ setting }: NamedSetting, value: unknown): unknown {
  return setting.sensitive && !isEmpty(value) ? MASK : setting.format.show(value as NonNullable<unknown>);
}

/** A map or list of secrets without any has nothing to hide. */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
