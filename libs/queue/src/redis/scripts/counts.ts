import { JOB_STATES, type JobState } from '@orchestrator/core';
import { defineScript } from '@orchestrator/redis';

import { counts as lua } from '../lua.js';

/** Jobs in each state. One moment's picture. */
export const counts = defineScript<{ base: string }, Record<JobState, number>>({
  name: 'counts',
  lua,
  keys: ({ base }) => [base],
  args: () => [...JOB_STATES],
  reply(raw) {
    const numbers = raw as number[];
    return Object.fromEntries(JOB_STATES.map((state, i) => [state, numbers[i] ?? 0])) as Record<JobState, number>;
  },
});
