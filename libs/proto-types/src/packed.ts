import { type Assignment, type AttemptRef, type FinishedAttempt, Outcome } from './generated/orchestrator/v1/worker.js';

// What is many a millisecond as lines of text, with a space between two values: to encode and decode a message for each
// costs several times what the values cost. The last value of a line is JSON, in which a line break is only white space.

/** What is packed of an assignment: all but the trace context, which travels in the spec. */
export type PackedAssignment = Required<Pick<Assignment, 'specJson' | 'number'>> & { attempt: AttemptRef };

/** "jobId attemptId fence number spec", a line each. */
export function packAssignments(assignments: readonly PackedAssignment[]): string {
  let text = '';
  for (const { attempt, specJson, number } of assignments) {
    text += `${attempt.jobId} ${attempt.attemptId} ${attempt.fence} ${number} ${oneLine(specJson)}\n`;
  }
  return text;
}

export function unpackAssignments(text: string): Assignment[] {
  return linesOf(text).map((line) => {
    const [[jobId = '', attemptId = '', fence, number], specJson] = valuesOf(line, 4);
    return {
      attempt: { jobId, attemptId, fence: Number(fence) },
      specJson,
      number: Number(number),
      traceparent: '',
    };
  });
}

/** Whether `packEnds` can say all of it. */
export function isPlainEnd(end: FinishedAttempt): boolean {
  return (
    end.outcome === Outcome.SUCCEEDED &&
    (end.exitCode === undefined || end.exitCode === 0) &&
    end.signal === '' &&
    end.stdoutBytes === 0 &&
    end.stderrBytes === 0 &&
    !end.truncated &&
    !end.wasFrozen &&
    end.output.length === 0 &&
    end.attempt !== undefined
  );
}

/** "jobId attemptId fence number startedAt durationMs exit result", a line each; exit: "0", or "-" for none; result: JSON or nothing. */
export function packEnds(ends: readonly FinishedAttempt[]): string {
  let text = '';
  for (const { attempt, number, startedAt, durationMs, exitCode, resultJson } of ends) {
    const name = `${attempt?.jobId} ${attempt?.attemptId} ${attempt?.fence}`;
    text += `${name} ${number} ${startedAt} ${durationMs} ${exitCode ?? '-'} ${oneLine(resultJson ?? '')}\n`;
  }
  return text;
}

/** What a line of `packEnds` says. */
export interface PackedEnd {
  attempt: AttemptRef;
  number: number;
  /** Undefined: it has none. */
  exitCode: 0 | undefined;
  resultJson: string | undefined;
}

/** A line that makes no sense has NaN and empty texts in it. */
export function unpackEnds(text: string): PackedEnd[] {
  return linesOf(text).map((line) => {
    const [[jobId = '', attemptId = '', fence, number, , , exit], result] = valuesOf(line, 7);
    return {
      attempt: { jobId, attemptId, fence: Number(fence) },
      number: Number(number),
      exitCode: exit === '0' ? 0 : undefined,
      resultJson: result === '' ? undefined : result,
    };
  });
}

/** Their attempts' ids. */
export function packIds(refs: readonly AttemptRef[]): string {
  return refs.map(({ attemptId }) => attemptId).join(' ');
}

export function unpackIds(text: string): string[] {
  return text === '' ? [] : text.split(' ');
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  lines.pop();
  return lines;
}

/** The first `count` values of a line, and all that follows. */
function valuesOf(line: string, count: number): [string[], string] {
  const values: string[] = [];
  let from = 0;
  for (let i = 0; i < count; i += 1) {
    const space = line.indexOf(' ', from);
    if (space < 0) {
      return [[], ''];
    }
    values.push(line.slice(from, space));
    from = space + 1;
  }
  return [values, line.slice(from)];
}

function oneLine(json: string): string {
  return json.includes('\n') ? json.replaceAll('\n', ' ') : json;
}
