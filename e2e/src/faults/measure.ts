import { readFileSync } from 'node:fs';

import { waitUntil } from '../harness/wait.js';
import { attemptRuns, type AttemptRun } from './checker/attempt-runs.js';
import { readCommandLines } from './command-lines.js';
import type { Fault, History } from './history.js';
import type { Recorder } from './recorder.js';

/** Waits until so many commands run on this worker (their last line is no end). */
export async function commandsRun(recorder: Recorder, worker: string, count: number, withinMs = 20_000): Promise<void> {
  await waitUntil(`${count} commands run on ${worker}`, () => runningOn(recorder, worker).length >= count, {
    withinMs,
  });
}

export function runningOn(recorder: Recorder, worker: string): AttemptRun[] {
  const runs = attemptRuns(readCommandLines(readFileSync(recorder.commandFile, 'utf8')));
  return [...runs.values()].flat().filter((run) => run.worker === worker && run.code === undefined);
}

/** Of all that ran on the fault's target at its moment: from then to its last line, and to the next start elsewhere. */
export function aroundFault({ lines }: History, { target, atMs }: Fault): { lastLineMs: number; restartMs: number[] } {
  const hit = [...attemptRuns(lines).values()].flatMap((runs) =>
    runs
      .filter(
        (run) => run.worker === target && run.firstMs <= atMs && run.lastMs >= atMs - 1_000 && run.code === undefined,
      )
      .map((run) => ({ run, next: runs.find((other) => other.fence > run.fence) })),
  );
  return {
    lastLineMs: Math.max(0, ...hit.map(({ run }) => run.lastMs - atMs)),
    restartMs: hit.flatMap(({ next }) => (next === undefined ? [] : [next.firstMs - atMs])),
  };
}

/** "1.2–3.4 s" */
export function span(ms: readonly number[]): string {
  if (ms.length === 0) {
    return 'nothing';
  }
  const [least, most] = [Math.min(...ms), Math.max(...ms)].map((each) => (each / 1_000).toFixed(1));
  return least === most ? `${least} s` : `${least}–${most} s`;
}
