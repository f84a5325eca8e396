import { requireOneLine } from '@orchestrator/config';

import type { SchedulerConfig } from '../config.js';
import type { CredentialFile } from './credential-file.js';
import type { CredentialFiles } from './credential-files.js';

/** Undefined: it stands in the address, or Redis asks for none. */
export function openRedisPassword(
  { redis: { passwordFile: path } }: Pick<SchedulerConfig, 'redis'>,
  files: CredentialFiles,
): CredentialFile<string> | undefined {
  return path === undefined
    ? undefined
    : files.open({
        key: 'redis.passwordFile',
        path,
        parse: requireOneLine,
        secrets: (password) => [password],
        isPrivate: true,
      });
}
