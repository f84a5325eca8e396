import type { JobRecord } from '../history.js';
import type { AttemptRun } from './attempt-runs.js';
import type { Violation } from './violation.js';

/** One accepted result, of the last attempt, which really ran and ended so; the same of each accepted failure. */
export function checkAcceptance(job: JobRecord, runs: readonly AttemptRun[]): Violation[] {
  const accepted = job.history.filter(({ outcome }) => outcome === 'succeeded');
  const wanted = job.state === 'succeeded' ? 1 : 0;
  const violations: Violation[] = [];
  if (accepted.length !== wanted) {
    violations.push({
      rule: 'ONE_ACCEPTANCE',
      job: job.id,
      attempt: (accepted[0] ?? job.history.at(-1))?.number ?? 0,
      message: `is "${job.state}" and has ${accepted.length} accepted attempts: expected ${wanted}`,
    });
  } else if (wanted === 1 && job.history.at(-1)?.outcome !== 'succeeded') {
    const attempt = job.history.at(-1)?.number ?? 0;
    violations.push({ rule: 'ONE_ACCEPTANCE', job: job.id, attempt, message: 'came after the accepted one' });
  }
  for (const { number, fence, outcome, exitCode } of job.history) {
    if (outcome === 'succeeded' || (outcome === 'failed' && exitCode !== null)) {
      const code = outcome === 'succeeded' ? 0 : exitCode;
      const ended = runs.filter((run) => run.attempt === number && run.fence === fence && run.code === code);
      if (ended.length === 0) {
        const rule = outcome === 'succeeded' ? 'ACCEPTED_RAN' : 'FAILED_RAN';
        const message = `is "${outcome}" with exit code ${code}, and no such command ended so`;
        violations.push({ rule, job: job.id, attempt: number, message });
      }
    }
  }
  return violations;
}
