import type { SchedulerConfig } from '../config.js';
import type { CredentialFile } from '../credentials/credential-file.js';
import type { CredentialFiles } from '../credentials/credential-files.js';
import { parseCertificates } from './pem.js';

/** Undefined: rediss:// addresses are checked against the authorities that Node knows. @throws {ConfigError} */
export function openRedisAuthority(
  { redis: { ca: path } }: Pick<SchedulerConfig, 'redis'>,
  files: CredentialFiles,
): CredentialFile<string> | undefined {
  const parse = (text: string): string => {
    parseCertificates(text);
    return text;
  };
  return path === undefined ? undefined : files.open({ key: 'redis.ca', path, parse });
}
