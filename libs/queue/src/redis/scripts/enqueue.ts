import { InvalidValueError, type JobState, MAX_SPEC_BYTES } from '@orchestrator/core';
import type { ScriptArgument } from '@orchestrator/redis';

import type { EnqueueReply, NewJob } from '../../store.js';
import { definePoolScript } from '../define-pool-script.js';
import * as lua from '../lua.js';

/** Of UTF-8, for each unit of a string's length. */
const MAX_BYTES_PER_UNIT = 3;
/** Position, state, time of creation, 1 when it was there. */
const EXCEPTION_WIDTH = 4;

/** Adds jobs; what is there already stays as it is. */
export const enqueue = definePoolScript<readonly NewJob[], EnqueueReply[]>({
  name: 'enqueue',
  lua: lua.enqueue,
  args: (jobs) => {
    const args: ScriptArgument[] = [jobs.length];
    let group = { at: 0, size: 0, rule: '', options: '' };
    jobs.forEach((job, i) => {
      const [rule, options] = [toRuleJson(job.rule), toOptionsJson(job)];
      if (i === 0 || rule !== group.rule || options !== group.options) {
        group = { at: args.length, size: 0, rule, options };
        args.push(0, rule, options);
      }
      group.size += 1;
      args[group.at] = group.size;
      args.push(job.ulid, toSpecJson(job.spec, i));
    });
    return args;
  },
  reply: (raw, jobs) => {
    const [now, ...exceptions] = raw as [number, ...(number | string)[]];
    const replies = jobs.map(({ ulid }): EnqueueReply => ({ ulid, state: 'queued', createdAt: now, repeated: false }));
    for (let i = 0; i < exceptions.length; i += EXCEPTION_WIDTH) {
      const [at, state, createdAt, wasThere] = exceptions.slice(i, i + EXCEPTION_WIDTH) as [
        number,
        JobState,
        number,
        number,
      ];
      replies[at] = { ulid: (jobs[at] as NewJob).ulid, state, createdAt, repeated: wasThere === 1 };
    }
    return replies;
  },
});

/** Most jobs have none. */
function toOptionsJson({ priority, delayMs, runAtMs }: NewJob): string {
  return priority === 0 && delayMs === undefined && runAtMs === undefined
    ? ''
    : JSON.stringify({ priority, delayMs, runAtMs });
}

/** @throws {InvalidValueError} when no worker could be sent it */
function toSpecJson(spec: NewJob['spec'], index: number): string {
  const json = JSON.stringify(spec);
  if (json.length <= MAX_SPEC_BYTES / MAX_BYTES_PER_UNIT) {
    return json;
  }
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
