import { type Job, type JobState, toIsoTime, toJobId } from '@orchestrator/core';
import type { NewJob } from '@orchestrator/queue';

import { toJobView } from './job-view.js';
import { explainWaiting, type PoolCapacity } from './waiting.js';

/** A job that Redis has just taken. */
export interface Submitted {
  pool: string;
  job: NewJob;
  state: JobState;
  createdAt: number;
  capacity: PoolCapacity;
}

/** What a plain job's answer has in common with that of others of its pool and token: the text around what differs. */
interface Frame {
  around: readonly string[];
  capacity: PoolCapacity | undefined;
  waiting: string;
}

/** Of a spec, what stands in the frame or is put into it; a job that says nothing else is plain. */
const PLAIN: ReadonlySet<string> = new Set([
  'name',
  'command',
  'argv',
  'handler',
  'data',
  'cwd',
  'submittedBy',
  'traceparent',
]);
/** No name of a pool or token holds it. */
const GAP = '\0';
const GAP_TEXT = /(?:"command":)?"\\u0000"/;
const MAX_FRAMES = 1_000;

/**
 * Writes what a submission is answered: `toJobView` of the job, as JSON. Most jobs are plain, and of their 1 KB hardly
 * anything is their own: making the view and writing it out costs ten times as much as filling in a frame.
 */
export class SubmittedAnswers {
  readonly #frames = new Map<string, Frame>();

  write(submitted: Submitted): string {
    return submitted.state === 'queued' && isPlain(submitted.job)
      ? this.#fill(submitted)
      : JSON.stringify(toJobView(toJob(submitted), toWaiting(submitted)));
  }

  #fill(submitted: Submitted): string {
    const { pool, job, createdAt, capacity } = submitted;
    const frame = this.#frameOf(submitted);
    if (frame.capacity !== capacity) {
      frame.capacity = capacity;
      frame.waiting = JSON.stringify(toWaiting(submitted) ?? null);
    }
    const [start = '', name = '', program = '', created = '', queued = '', waiting = '', end = ''] = frame.around;
    const time = `"${toIsoTime(createdAt)}"`;
    return (
      `${start}"${toJobId(pool, job.ulid)}"${name}${JSON.stringify(job.spec.name)}${program}${toProgram(job)}` +
      `${created}${time}${queued}${time}${waiting}${frame.waiting}${end}`
    );
  }

  #frameOf({ pool, job }: Submitted): Frame {
    const { submittedBy } = job.spec;
    const key = submittedBy === undefined ? pool : `${pool} ${submittedBy}`;
    let frame = this.#frames.get(key);
    if (frame === undefined) {
      if (this.#frames.size >= MAX_FRAMES) {
        this.#frames.clear();
      }
      frame = { around: toAround(pool, submittedBy), capacity: undefined, waiting: '' };
      this.#frames.set(key, frame);
    }
    return frame;
  }
}

function isPlain({ spec, rule }: NewJob): boolean {
  return Object.keys(rule).length === 0 && Object.keys(spec).every((field) => PLAIN.has(field));
}

function toWaiting(submitted: Submitted): ReturnType<typeof explainWaiting> {
  return explainWaiting(toJob(submitted), submitted.capacity);
}

/** The answer of a job that is nothing but gaps, cut at them: id, name, program, two times, why it waits. */
function toAround(pool: string, submittedBy: string | undefined): string[] {
  const spec = { name: GAP, command: GAP, ...(submittedBy === undefined ? {} : { submittedBy }) };
  const job = { ulid: '', spec, rule: {}, priority: 0 } as unknown as NewJob;
  const view = toJobView(
    toJob({ pool, job, state: 'queued', createdAt: 0, capacity: { workers: 0, slots: 0, freeSlots: 0 } }),
    undefined,
  );
  return JSON.stringify({ ...view, id: GAP, createdAt: GAP, queuedAt: GAP, waiting: GAP }).split(GAP_TEXT);
}

/** In the order of `toJobView`. */
function toProgram({ spec: { command, argv, handler, data, cwd } }: NewJob): string {
  const program =
    command !== undefined
      ? `"command":${JSON.stringify(command)}`
      : argv !== undefined
        ? `"argv":${JSON.stringify(argv)}`
        : `"handler":${JSON.stringify(handler)}`;
  const its = data === undefined ? '' : `,"data":${JSON.stringify(data)}`;
  return cwd === undefined ? `${program}${its}` : `${program}${its},"cwd":${JSON.stringify(cwd)}`;
}

/** What Redis holds of it now: nothing has to be read again to answer a submission. */
function toJob({ pool, job, state, createdAt }: Submitted): Job {
  const isScheduled = state === 'scheduled';
  return {
    id: toJobId(pool, job.ulid),
    pool,
    spec: job.spec,
    rule: job.rule,
    state,
    createdAt,
    queuedAt: isScheduled ? null : createdAt,
    startedAt: null,
    finishedAt: null,
    cancelRequestedAt: null,
    dueAt: isScheduled ? (job.runAtMs ?? createdAt + (job.delayMs ?? 0)) : null,
    scheduledFor: isScheduled ? 'delay' : null,
    worker: null,
    session: null,
    attemptId: null,
    fence: 0,
    starts: 0,
    failures: 0,
    workerLosses: 0,
    end: null,
    history: [],
  };
}
