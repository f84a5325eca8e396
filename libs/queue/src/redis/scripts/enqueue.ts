import { InvalidValueError, type JobState, MAX_SPEC_BYTES } from '@orchestrator/core';

import type { EnqueueReply, NewJob } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';

/** Adds jobs; what is there already stays as it is. */
export const enqueue = definePoolScript<readonly NewJob[], EnqueueReply[]>({
  name: 'enqueue',
  lua: lua.enqueue,
  args: (jobs) => [
    jobs.length,
    ...jobs.flatMap((job, i) => [
      job.ulid,
      job.priority,
      job.delayMs ?? '',
      job.runAtMs ?? '',
      job.rule.batchId ?? '',
      toSpecJson(job.spec, i),
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

/** @throws {InvalidValueError} when no worker could be sent it */
function toSpecJson(spec: NewJob['spec'], index: number): string {
  const json = JSON.stringify(spec);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_SPEC_BYTES) {
    const message = `jobs[${index}].spec has ${bytes} bytes of JSON: expected at most ${MAX_SPEC_BYTES}`;
    throw new InvalidValueError(`jobs[${index}].spec`, message);
  }
  return json;
}

/** Most jobs have no rule of their own: nothing is stored for them, and scripts have nothing to decode. */
function toRuleJson(rule: NewJob['rule']): string {
  const json = JSON.stringify(rule);
  return json === '{}' ? '' : json;
}
