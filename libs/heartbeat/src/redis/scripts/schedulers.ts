import { defineScript } from '@orchestrator/redis';

import { PRESENCE_MS, type SchedulerPresence } from '../../registry.js';
import * as lua from '../lua.js';

/** Those that are there, by id. */
export const schedulers = defineScript<{ base: string }, SchedulerPresence[]>({
  name: 'schedulers',
  lua: lua.schedulers,
  keys: ({ base }) => [base],
  args: () => [PRESENCE_MS],
  reply: (raw) =>
    (raw as [string, string, string][])
      .map(([id, workers, version]) => ({ id, workers: Number(workers), version }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
});
