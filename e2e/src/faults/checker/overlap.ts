import type { Fault, History } from '../history.js';
import type { AttemptRun } from './attempt-runs.js';
import type { Violation } from './violation.js';

/**
 * When the later attempt began, the earlier one wrote nothing any more: by the order of the lines in the file, whatever
 * clocks say. A fault (a host that wakes) may allow some lines, a run (of jobs that go on without a lease) some time.
 */
export function checkOverlap(
  job: string,
  runs: readonly AttemptRun[],
  { faults, overlapMs }: Pick<History, 'faults' | 'overlapMs'>,
): Violation[] {
  return pairs(runs).flatMap(({ earlier, later }): Violation[] => {
    const wrong = linesAfter(earlier, later).filter(
      ({ atMs }) => atMs - later.firstMs >= overlapMs && !faults.some((fault) => allows(fault, earlier.worker, atMs)),
    );
    const last = wrong.at(-1);
    if (last === undefined) {
      return [];
    }
    const message = `began on ${later.worker} while attempt ${earlier.attempt} ran on ${earlier.worker}, which wrote ${wrong.length} lines more, the last one ${last.atMs - later.firstMs} ms later`;
    return [{ rule: 'NO_OVERLAP', job, attempt: later.attempt, message }];
  });
}

function pairs(runs: readonly AttemptRun[]): { earlier: AttemptRun; later: AttemptRun }[] {
  const inOrder = [...runs].sort((a, b) => a.fence - b.fence || a.firstLine - b.firstLine);
  return inOrder.flatMap((later, index) => inOrder.slice(0, index).map((earlier) => ({ earlier, later })));
}

function linesAfter(earlier: AttemptRun, later: AttemptRun): AttemptRun['wrote'] {
  return earlier.wrote.filter(({ place }) => place > later.firstLine);
}

function allows({ target, atMs: sinceMs, mayOverlapMs }: Fault, worker: string, atMs: number): boolean {
  return mayOverlapMs !== undefined && target === worker && atMs >= sinceMs && atMs <= sinceMs + mayOverlapMs;
}
