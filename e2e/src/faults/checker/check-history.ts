import type { History } from '../history.js';
import { checkAcceptance } from './acceptance.js';
import { attemptRuns } from './attempt-runs.js';
import { checkLosses } from './losses.js';
import { checkOverlap } from './overlap.js';
import { checkReassignment } from './reassignment.js';
import { checkStarts } from './starts.js';
import { checkSubmissions } from './submissions.js';
import type { Violation } from './violation.js';

/** Every rule that this history breaks; none = the promises were kept. */
export function checkHistory(history: History): Violation[] {
  const runs = attemptRuns(history.lines);
  const known = new Set(history.jobs.map((job) => job.id));
  return [
    ...checkSubmissions(history),
    ...history.jobs.flatMap((job) => {
      const ofJob = runs.get(job.id) ?? [];
      return [
        ...checkAcceptance(job, ofJob),
        ...checkStarts(job, ofJob),
        ...checkOverlap(job.id, ofJob, history),
        ...checkLosses(job, history),
        ...checkReassignment(job, ofJob, history.faults),
      ];
    }),
    ...[...runs.values()].flat().flatMap(({ job, attempt, worker }): Violation[] => {
      const message = `ran on ${worker}, and there is no record of the job`;
      return known.has(job) ? [] : [{ rule: 'STARTS_CLAIMED', job, attempt, message }];
    }),
    ...history.left.map((what): Violation => ({ rule: 'NOTHING_LEFT', message: what })),
  ];
}
