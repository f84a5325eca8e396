import type { FromThread, PlainEnd, QueuedHandler, ToThread } from './handler-wire.js';

// What threads post to one another. What is many a millisecond travels as values in a row: to clone an object, or to write
// and read it as JSON, costs several times what its values cost.

const VALUES_OF_A_RUN = 9;
const VALUES_OF_AN_END = 4;

export interface PostedToThread {
  /** To be started in this order, each when a slot is free. */
  runs: (string | number)[];
  messages: ToThread[];
}

export interface PostedFromThread {
  ends: (string | number | undefined)[];
  messages: FromThread[];
}

export function putRun(runs: PostedToThread['runs'], run: QueuedHandler): void {
  const { cell, attemptId, jobId, attempt, fence, traceparent, workerId, specJson, maxOutputBytes } = run;
  runs.push(cell, attemptId, jobId, attempt, fence, traceparent, workerId, specJson, maxOutputBytes);
}

export function eachRun(runs: PostedToThread['runs'], take: (run: QueuedHandler) => void): void {
  for (let at = 0; at < runs.length; at += VALUES_OF_A_RUN) {
    take({
      cell: runs[at] as number,
      attemptId: runs[at + 1] as string,
      jobId: runs[at + 2] as string,
      attempt: runs[at + 3] as number,
      fence: runs[at + 4] as number,
      traceparent: runs[at + 5] as string,
      workerId: runs[at + 6] as string,
      specJson: runs[at + 7] as string,
      maxOutputBytes: runs[at + 8] as number,
    });
  }
}

export function putEnd(ends: PostedFromThread['ends'], end: PlainEnd): void {
  ends.push(end.cell, end.startedAtWallMs, end.durationMs, end.resultJson);
}

export function eachEnd(ends: PostedFromThread['ends'], take: (end: PlainEnd) => void): void {
  for (let at = 0; at < ends.length; at += VALUES_OF_AN_END) {
    take({
      cell: ends[at] as number,
      startedAtWallMs: ends[at + 1] as number,
      durationMs: ends[at + 2] as number,
      resultJson: ends[at + 3] as string | undefined,
    });
  }
}
