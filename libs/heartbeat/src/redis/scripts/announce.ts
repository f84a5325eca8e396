import { defineScript } from '@orchestrator/redis';

import { PRESENCE_MS, type SchedulerPresence } from '../../registry.js';
import * as lua from '../lua.js';

/** More than anybody runs: what a loop of crashing schedulers leaves behind stays bounded. */
const MOST_PRESENT = 250;

/** Answers whether it was entered. */
export const announce = defineScript<{ base: string; scheduler: SchedulerPresence }, boolean>({
  name: 'announce',
  lua: lua.announce,
  keys: ({ base }) => [base],
  args: ({ scheduler: { id, workers, version } }) => [id, workers, version, PRESENCE_MS, MOST_PRESENT],
  reply: (raw) => Number(raw) === 1,
});
