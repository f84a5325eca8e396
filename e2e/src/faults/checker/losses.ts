import { type Fault, HISTORY_LIMIT, type History, type JobRecord, LOSSES_FOLLOW_WITHIN_MS } from '../history.js';
import type { Violation } from './violation.js';

/** /proc/uptime and the API's times are rounded, and two clocks are compared. */
const CLOCKS_DIFFER_BY_MS = 50;

/** `workerLosses` is the number of lost attempts, and each of them has a fault that may cost its worker attempts. */
export function checkLosses(job: JobRecord, { faults, bootWallMs }: History): Violation[] {
  const lost = job.history.filter(({ outcome }) => outcome === 'lost');
  const violations: Violation[] = [];
  if (job.history.length < HISTORY_LIMIT && job.workerLosses !== lost.length) {
    const message = `counts ${job.workerLosses} losses: its history has ${lost.length}`;
    violations.push({ rule: 'LOSSES_COUNTED', job: job.id, message });
  }
  for (const { number, worker, finishedAt, reason } of lost) {
    const endMs = Date.parse(finishedAt ?? '') - bootWallMs;
    const causes = faults.filter(({ mayLose }) => mayLose.includes(worker) || mayLose.includes('*'));
    const explains = ({ atMs, mayLoseForMs = LOSSES_FOLLOW_WITHIN_MS }: Fault): boolean =>
      endMs >= atMs - CLOCKS_DIFFER_BY_MS && endMs <= atMs + mayLoseForMs;
    if (!causes.some(explains)) {
      const message = `was lost on ${worker} (${reason}) at ${endMs}, where nothing had been done to it just before`;
      violations.push({ rule: 'LOSSES_EXPLAINED', job: job.id, attempt: number, message });
    }
  }
  return violations;
}
