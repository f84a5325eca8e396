import { FINAL_STATES, type History, type JobRecord } from '../history.js';
import type { Violation } from './violation.js';

/** No accepted job is lost, none is there twice or without being asked for, each ends as it had to. */
export function checkSubmissions({ submissions, jobs }: History): Violation[] {
  const byName = new Map<string, JobRecord[]>();
  jobs.forEach((job) => byName.set(job.name, [...(byName.get(job.name) ?? []), job]));
  const keys = new Set(submissions.map(({ key }) => key));
  return [
    ...submissions.flatMap((submission): Violation[] => {
      const { key, id, outcome, expects } = submission;
      const found = byName.get(key) ?? [];
      if (outcome === 'accepted' && !found.some((job) => job.id === id)) {
        return [{ rule: 'NO_LOSS', ...named(id), message: `was accepted (key ${key}) and there is no record of it` }];
      }
      if (found.length > (outcome === 'refused' ? 0 : 1)) {
        const ids = found.map((job) => job.id).join(', ');
        return [{ rule: 'ONE_JOB', ...named(found[0]?.id), message: `key ${key} was ${outcome}, and made ${ids}` }];
      }
      return found.flatMap((job): Violation[] => {
        if (!FINAL_STATES.includes(job.state)) {
          return [{ rule: 'NO_LOSS', job: job.id, message: `is "${job.state}" and not final` }];
        }
        return expects === 'any' || job.state === expects
          ? []
          : [{ rule: 'EXPECTED_END', job: job.id, message: `ended as "${job.state}": expected "${expects}"` }];
      });
    }),
    ...jobs
      .filter((job) => !keys.has(job.name))
      .map((job): Violation => ({ rule: 'ONE_JOB', job: job.id, message: `nobody submitted "${job.name}"` })),
  ];
}

function named(job: string | undefined): { job?: string } {
  return job === undefined ? {} : { job };
}
