import type { Attempt } from '../../../harness/api.js';
import type { CommandLine, Fault, History, JobRecord, Submission } from '../../history.js';

/** How an attempt of an invented job goes. `returned` and `lost` ones stop writing at some point. */
export interface AttemptPlan {
  outcome: 'succeeded' | 'failed' | 'lost' | 'returned';
  /** Lines between start and end. */
  ticks: number;
  worker: number;
  /** Between the last line of the attempt before and this one's first, beyond 10 ms. */
  pauseMs: number;
}

/** The last attempt is the one that is accepted, or the failure that was one too many. */
export interface JobPlan {
  earlier: readonly (AttemptPlan & { outcome: 'failed' | 'lost' | 'returned' })[];
  last: AttemptPlan & { outcome: 'succeeded' | 'failed' };
}

const BOOT_WALL_MS = Date.UTC(2026, 0, 1);
const TICK_MS = 100;
const STEP_MS = 10;

/** A history in which every promise was kept, by construction. */
export function rightHistory(plans: readonly JobPlan[]): History {
  const lines: CommandLine[] = [];
  const jobs: JobRecord[] = [];
  const submissions: Submission[] = [];
  const faults: Fault[] = [];
  plans.forEach((plan, index) => {
    const id = `default:JOB${index}`;
    const attempts = [...plan.earlier, plan.last];
    let atMs = 1_000 + index;
    const history = attempts.map((attempt, place): Attempt => {
      const worker = `worker-${attempt.worker}`;
      const run = { job: id, attempt: place + 1, fence: 100 + place, pid: 1_000 * (index + 1) + place, worker };
      atMs += STEP_MS + attempt.pauseMs;
      const startMs = atMs;
      lines.push({ kind: 'start', ...run, atMs });
      for (let tick = 0; tick < attempt.ticks; tick += 1) {
        atMs += TICK_MS;
        lines.push({ kind: 'tick', ...run, atMs });
      }
      const exitCode = { succeeded: 0, failed: 7, lost: null, returned: null }[attempt.outcome];
      if (exitCode !== null) {
        atMs += STEP_MS;
        lines.push({ kind: 'end', ...run, atMs, code: exitCode });
      }
      if (attempt.outcome === 'lost') {
        faults.push({ atMs, what: 'SIGKILL', target: worker, mayLose: [worker] });
      }
      atMs += STEP_MS;
      return {
        number: run.attempt,
        fence: run.fence,
        worker,
        startedAt: new Date(BOOT_WALL_MS + startMs).toISOString(),
        finishedAt: new Date(BOOT_WALL_MS + atMs).toISOString(),
        outcome: attempt.outcome,
        exitCode,
        signal: null,
        reason: null,
      };
    });
    const lost = attempts.filter(({ outcome }) => outcome === 'lost').length;
    const name = `job-${index}`;
    const expects = plan.last.outcome;
    jobs.push({ id, name, state: expects, attempt: attempts.length, attempts: 9, workerLosses: lost, history });
    submissions.push({ key: name, outcome: 'accepted', id, expects, atMs: 0, tries: 1 });
  });
  lines.sort((a, b) => a.atMs - b.atMs);
  return { submissions, lines, jobs, faults, left: [], overlapMs: 0, bootWallMs: BOOT_WALL_MS };
}
