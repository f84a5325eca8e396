import { maskUrl } from '@orchestrator/config';
import type { RedisTarget } from '@orchestrator/redis';

import type { SchedulerConfig } from '../config.js';

/** Where the configuration says that Redis is, and how to call it in the log. */
export function redisTarget({ redis }: Pick<SchedulerConfig, 'redis'>): { target: RedisTarget; address: string } {
  const { url, sentinels, name } = redis;
  return name === undefined
    ? { target: { url }, address: maskUrl(url) }
    : { target: { sentinels, name }, address: maskUrl(`${name} of ${sentinels.join(', ')}`) };
}
