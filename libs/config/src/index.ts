export type { ConfigAnswer, LoadConfigOptions, LoadedConfig } from './load-config.js';
export { loadConfig } from './load-config.js';
export type { ProgramCommand } from './command.js';
export { readCommand } from './command.js';
export type { ConfigProblem } from './errors.js';
export { ConfigError } from './errors.js';
export type { TextRule } from './formats.js';
export {
  boolean,
  duration,
  HOST_PATTERN,
  HOST_PORT_PATTERN,
  integer,
  later,
  list,
  map,
  maskUrl,
  oneOf,
  optionalPort,
  optionalText,
  port,
  redisUrl,
  redisUrls,
  showDuration,
  text,
} from './formats.js';
export type { ProgramHost } from './secret-arguments.js';
export { hideSecretArguments } from './secret-arguments.js';
export type { SecretText } from './secret-file.js';
export {
  readSecretFile,
  requireOneLine,
  requireToken,
  SecretFileError,
  TOKEN_EXPECTS,
  TOKEN_PATTERN,
} from './secret-file.js';
export { redisMasterName, redisSentinels } from './sentinel-formats.js';
export type { ConfigOf, ConfigSchema, Format, NamedSetting, SettingOptions } from './setting.js';
export { ENV_PREFIX, namedSettings, Setting } from './setting.js';
