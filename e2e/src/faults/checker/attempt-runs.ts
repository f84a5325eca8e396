import type { CommandLine } from '../history.js';

/** What the lines of commands say of one start of a job: one process, however often the attempt was told to start. */
export interface AttemptRun {
  job: string;
  attempt: number;
  fence: number;
  pid: number;
  worker: string;
  /** Places of the first and the last line in the file. */
  firstLine: number;
  lastLine: number;
  firstMs: number;
  lastMs: number;
  /** Each of its lines. */
  wrote: { place: number; atMs: number }[];
  /** Exit code of the `end` line; undefined = it never came so far. */
  code: number | undefined;
  starts: number;
}

/** By job, in the order of the first lines. */
export function attemptRuns(lines: readonly CommandLine[]): Map<string, AttemptRun[]> {
  const byJob = new Map<string, AttemptRun[]>();
  lines.forEach((line, place) => {
    const runs = byJob.get(line.job) ?? [];
    byJob.set(line.job, runs);
    const known = runs.find((run) => isOf(run, line));
    const run = known ?? firstSeen(line, place);
    if (known === undefined) {
      runs.push(run);
    }
    run.wrote.push({ place, atMs: line.atMs });
    run.lastLine = place;
    run.lastMs = line.atMs;
    run.starts += line.kind === 'start' ? 1 : 0;
    run.code = line.kind === 'end' ? line.code : run.code;
  });
  return byJob;
}

function isOf(run: AttemptRun, line: CommandLine): boolean {
  return run.pid === line.pid && run.fence === line.fence && run.attempt === line.attempt && run.worker === line.worker;
}

function firstSeen(line: CommandLine, place: number): AttemptRun {
  return {
    job: line.job,
    attempt: line.attempt,
    fence: line.fence,
    pid: line.pid,
    worker: line.worker,
    firstLine: place,
    lastLine: place,
    firstMs: line.atMs,
    lastMs: line.atMs,
    wrote: [],
    code: undefined,
    starts: 0,
  };
}
