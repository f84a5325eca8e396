import type { JobState } from '@orchestrator/core';

import type { EnqueueReply, NewJob } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';

/** Adds jobs; what is there already stays as it is. */
export const enqueue = definePoolScript<readonly NewJob[], EnqueueReply[]>({
  name: 'enqueue',
  lua: lua.enqueue,
  args: (jobs) => [
    jobs.length,
    ...jobs.flatMap((job) => [
      job.ulid,
      job.priority,
      job.delayMs ?? '',
      job.runAtMs ?? '',
      job.rule.batchId ?? '',
      JSON.stringify(job.spec),
      toRuleJson(job.rule),
    ]),
  ],
  reply: (raw, jobs) =>
    (raw as [JobState, number, number][]).map(([state, createdAt, repeated], i) => ({
      ulid: (jobs[i] as NewJob).ulid,
      state,
      createdAt,
      repeated: repeated === 1,
    })),
});

/** Most jobs have no rule of their own: nothing is stored for them, and scripts have nothing to decode. */
function toRuleJson(rule: NewJob['rule']): string {
  const json = JSON.stringify(rule);
  return json === '{}' ? '' : json;
}
