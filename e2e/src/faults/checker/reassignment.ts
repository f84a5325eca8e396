import type { Fault, JobRecord } from '../history.js';
import type { AttemptRun } from './attempt-runs.js';
import type { Violation } from './violation.js';

/** What ran on a worker when that ended runs again within the fault's bound; or had ended by itself, and counted. */
export function checkReassignment(job: JobRecord, runs: readonly AttemptRun[], faults: readonly Fault[]): Violation[] {
  return faults.flatMap(({ atMs, target, reassignedWithinMs, what }) => {
    if (reassignedWithinMs === undefined) {
      return [];
    }
    const hit = runs.filter((run) => run.worker === target && run.firstMs <= atMs && isOpenAfter(run, job, atMs));
    return hit.flatMap((run): Violation[] => {
      const next = runs.find((other) => other.fence > run.fence);
      if (next !== undefined && next.firstMs - atMs <= reassignedWithinMs) {
        return [];
      }
      const after = next === undefined ? 'never' : `${next.firstMs - atMs} ms later`;
      const message = `ran on ${target} at its ${what}, and again ${after}: allowed ${reassignedWithinMs} ms`;
      return [{ rule: 'REASSIGNED_IN_TIME', job: job.id, attempt: run.attempt, message }];
    });
  });
}

/** Not ended before the fault, and not accepted either. */
function isOpenAfter(run: AttemptRun, job: JobRecord, atMs: number): boolean {
  const outcome = job.history.find(({ fence }) => fence === run.fence)?.outcome;
  return !(run.code !== undefined && run.lastMs <= atMs) && outcome !== 'succeeded' && outcome !== 'failed';
}
