import { HISTORY_LIMIT, type JobRecord } from '../history.js';
import type { AttemptRun } from './attempt-runs.js';
import type { Violation } from './violation.js';

/** Each attempt starts at most once, and only what was claimed: by that worker, under that fence. */
export function checkStarts(job: JobRecord, runs: readonly AttemptRun[]): Violation[] {
  const violations: Violation[] = [];
  for (const attempt of new Set(runs.map((run) => run.attempt))) {
    const ofIt = runs.filter((run) => run.attempt === attempt);
    const starts = ofIt.reduce((sum, run) => sum + run.starts, 0);
    if (starts !== 1 || ofIt.length !== 1) {
      const who = ofIt.map((run) => `pid ${run.pid} on ${run.worker} under fence ${run.fence}`).join(', ');
      violations.push({ rule: 'STARTS_ONCE', job: job.id, attempt, message: `started ${starts} times: ${who}` });
    }
  }
  const oldest = job.history[0]?.number ?? Infinity;
  const isForgotten = ({ attempt }: AttemptRun): boolean => job.history.length >= HISTORY_LIMIT && attempt < oldest;
  for (const run of runs.filter((each) => !isForgotten(each))) {
    const claimed = job.history.some(
      ({ number, fence, worker }) => number === run.attempt && fence === run.fence && worker === run.worker,
    );
    if (!claimed) {
      const message = `ran on ${run.worker} under fence ${run.fence}, which the job's history does not have`;
      violations.push({ rule: 'STARTS_CLAIMED', job: job.id, attempt: run.attempt, message });
    }
  }
  return [...violations, ...checkNumbers(job)];
}

function checkNumbers({ id, history }: JobRecord): Violation[] {
  return history.slice(1).flatMap((later, index): Violation[] => {
    const earlier = history[index];
    return earlier === undefined || (later.number > earlier.number && later.fence > earlier.fence)
      ? []
      : [
          {
            rule: 'NUMBERS_GROW',
            job: id,
            attempt: later.number,
            message: `(fence ${later.fence}) follows attempt ${earlier.number} (fence ${earlier.fence})`,
          },
        ];
  });
}
