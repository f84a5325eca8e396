import { HOST_PORT_PATTERN, maskUrl, splitList, urlSecrets } from './formats.js';
import { type Format, Setting, type SettingOptions } from './setting.js';

const CREDENTIALS = /^redis:\/\/[^\s@/,]*@/;
/** Of the master: with TLS there may be a scheme alone. */
const PREFIX = /^(?:redis:\/\/[^\s@/,]*@|rediss:\/\/(?:[^\s@/,]*@)?)/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Addresses of Redis Sentinels: host:port, or with the password that they ask for. */
export function redisSentinels(options: SettingOptions<readonly string[]>): Setting<readonly string[]> {
  return new Setting<readonly string[]>(
    {
      name: 'list',
      expects: 'a list, separated by commas; each host:port, or redis://:password@host:port with one password for all',
      parse: (value) => {
        const items: unknown = typeof value === 'string' ? splitList(value) : value;
        return Array.isArray(items) && items.every(isSentinel) && passwordsOf(items).size <= 1 ? items : undefined;
      },
      show: (value) => value.map(maskUrl),
      secrets: (value) => value.flatMap(urlSecrets),
    },
    options,
  );
}

/** The Sentinels' name of a master, where needed as an address with the master's password and database. */
export function redisMasterName(options: SettingOptions<string | undefined>): Setting<string | undefined> {
  const format: Format<string> = {
    name: 'name',
    expects:
      'a name such as mymaster, or redis://user:password@mymaster/0 where the master asks for a password, or rediss:// with TLS',
    parse: (value) =>
      typeof value === 'string' && NAME.test(value.replace(PREFIX, '').replace(/\/\d{1,3}$/, '')) ? value : undefined,
    show: maskUrl,
    secrets: urlSecrets,
  };
  return new Setting<string | undefined>(format, options);
}

function isSentinel(item: unknown): item is string {
  return typeof item === 'string' && HOST_PORT_PATTERN.test(item.replace(CREDENTIALS, ''));
}

function passwordsOf(items: readonly string[]): Set<string> {
  return new Set(items.map((item) => CREDENTIALS.exec(item)?.[0]).filter((one) => one !== undefined));
}
