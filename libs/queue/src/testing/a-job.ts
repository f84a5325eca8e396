import { createUlids, type JobRule, type JobSpec, systemClock, systemRandom, type Ulid } from '@orchestrator/core';

import type { NewJob } from '../store.js';

export const newUlid: () => Ulid = createUlids({ clock: systemClock, random: systemRandom });

export type AJob = Partial<Omit<NewJob, 'spec'>> & { spec?: Partial<JobSpec> } & JobRule;

/** A job as a user might submit it; fields of its rule may be given beside the others. */
export function aJob(overrides: AJob = {}): NewJob {
  const { ulid, spec, rule, priority, delayMs, runAtMs, ...ruleFields } = overrides;
  return {
    ulid: ulid ?? newUlid(),
    spec: { name: 'test_job', command: 'true', ...spec },
    rule: { ...ruleFields, ...rule },
    priority: priority ?? 0,
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(runAtMs === undefined ? {} : { runAtMs }),
  };
}

export function someJobs(count: number, overrides: AJob = {}): NewJob[] {
  return Array.from({ length: count }, () => aJob(overrides));
}
