import type { History } from '../../history.js';
import type { Rule } from '../violation.js';

export interface Mutation {
  what: string;
  /** The rule that has to find it (others may, too). */
  rule: Rule;
  /** Makes one thing wrong; undefined where this history has nothing of that kind. `pick` chooses one of n. */
  apply(history: History, pick: (n: number) => number): History | undefined;
}

type Maker<T> = (item: T, history: History) => T | T[] | undefined;

/** Replaces one element that qualifies by what `make` says of it (nothing, itself changed, several). */
function changeOne<K extends 'submissions' | 'lines' | 'jobs' | 'faults'>(
  key: K,
  qualifies: (item: History[K][number], history: History) => boolean,
  make: Maker<History[K][number]>,
): Mutation['apply'] {
  return (history, pick) => {
    const items = history[key] as readonly History[K][number][];
    const places = items.flatMap((item, place) => (qualifies(item, history) ? [place] : []));
    const chosen = places[pick(Math.max(1, places.length))];
    if (chosen === undefined) {
      return undefined;
    }
    const changed = items.flatMap((item, place) => (place === chosen ? (make(item, history) ?? []) : [item]));
    return { ...history, [key]: changed };
  };
}

const all = (): boolean => true;

export const mutations: readonly Mutation[] = [
  { what: 'an accepted job has no record', rule: 'NO_LOSS', apply: changeOne('jobs', all, () => undefined) },
  {
    what: 'an accepted job is still running',
    rule: 'NO_LOSS',
    apply: changeOne('jobs', all, (job) => ({ ...job, state: 'running' })),
  },
  {
    what: 'a key made two jobs',
    rule: 'ONE_JOB',
    apply: changeOne('jobs', all, (job) => [job, { ...job, id: `${job.id}B` }]),
  },
  {
    what: 'a refused submission made a job',
    rule: 'ONE_JOB',
    apply: changeOne('submissions', all, (submission) => ({ ...submission, outcome: 'refused' })),
  },
  { what: 'a job that nobody submitted', rule: 'ONE_JOB', apply: changeOne('submissions', all, () => undefined) },
  {
    what: 'a job ended as it should not',
    rule: 'EXPECTED_END',
    apply: changeOne('submissions', all, (each) => ({
      ...each,
      expects: each.expects === 'failed' ? 'succeeded' : 'failed',
    })),
  },
  {
    what: 'two attempts are accepted',
    rule: 'ONE_ACCEPTANCE',
    apply: changeOne(
      'jobs',
      (job) => job.state === 'succeeded' && job.history.length > 1,
      (job) => ({ ...job, history: job.history.map((each) => ({ ...each, outcome: 'succeeded' })) }),
    ),
  },
  {
    what: 'no attempt of a succeeded job is accepted',
    rule: 'ONE_ACCEPTANCE',
    apply: changeOne(
      'jobs',
      (job) => job.state === 'succeeded',
      (job) => ({ ...job, history: job.history.slice(0, -1) }),
    ),
  },
  {
    what: 'the accepted command never came to its end',
    rule: 'ACCEPTED_RAN',
    apply: changeOne(
      'lines',
      (line) => line.kind === 'end' && line.code === 0,
      () => undefined,
    ),
  },
  {
    what: 'the accepted command ended with another exit code',
    rule: 'ACCEPTED_RAN',
    apply: changeOne(
      'lines',
      (line) => line.kind === 'end' && line.code === 0,
      (line) => ({ ...line, code: 1 }),
    ),
  },
  {
    what: 'the failed command never came to its end',
    rule: 'FAILED_RAN',
    apply: changeOne(
      'lines',
      (line) => line.kind === 'end' && line.code === 7,
      () => undefined,
    ),
  },
  {
    what: 'an attempt starts again in another process',
    rule: 'STARTS_ONCE',
    apply: changeOne(
      'lines',
      (line) => line.kind === 'start',
      (line) => [line, { ...line, pid: line.pid + 500_000 }],
    ),
  },
  {
    what: 'an attempt starts again in the same process',
    rule: 'STARTS_ONCE',
    apply: changeOne(
      'lines',
      (line) => line.kind === 'start',
      (line) => [line, line],
    ),
  },
  {
    what: 'the start of an attempt is missing',
    rule: 'STARTS_ONCE',
    apply: changeOne(
      'lines',
      (line, { lines }) => line.kind === 'start' && lines.some((other) => other !== line && other.pid === line.pid),
      () => undefined,
    ),
  },
  {
    what: 'a start under a fence that was never given',
    rule: 'STARTS_CLAIMED',
    apply: changeOne(
      'lines',
      (line) => line.kind === 'start',
      (line) => ({ ...line, fence: line.fence + 1_000 }),
    ),
  },
  {
    what: 'a start on a worker that had no claim',
    rule: 'STARTS_CLAIMED',
    apply: changeOne(
      'lines',
      (line) => line.kind === 'start',
      (line) => ({ ...line, worker: 'worker-99' }),
    ),
  },
  {
    what: 'something runs of which there is no record',
    rule: 'STARTS_CLAIMED',
    apply: changeOne(
      'lines',
      (line) => line.kind === 'start',
      (line) => [line, { ...line, job: 'default:UNKNOWN' }],
    ),
  },
  {
    what: 'a fence goes back',
    rule: 'NUMBERS_GROW',
    apply: changeOne(
      'jobs',
      (job) => job.history.length > 1,
      (job) => ({ ...job, history: job.history.map((each, place) => (place === 0 ? { ...each, fence: 999 } : each)) }),
    ),
  },
  {
    what: 'an attempt writes after its successor has begun',
    rule: 'NO_OVERLAP',
    apply: (history: History, pick: (n: number) => number): History | undefined => {
      const starts = history.lines.filter((line) => line.kind === 'start' && line.attempt > 1);
      const later = starts[pick(Math.max(1, starts.length))];
      const earlier = history.lines.find((line) => line.job === later?.job && line.attempt === later.attempt - 1);
      if (later === undefined || earlier === undefined) {
        return undefined;
      }
      const place = history.lines.indexOf(later);
      const late = { ...earlier, kind: 'tick' as const, atMs: later.atMs };
      return { ...history, lines: [...history.lines.slice(0, place + 1), late, ...history.lines.slice(place + 1)] };
    },
  },
  {
    what: 'a loss is not counted',
    rule: 'LOSSES_COUNTED',
    apply: changeOne(
      'jobs',
      (job) => job.workerLosses > 0,
      (job) => ({ ...job, workerLosses: job.workerLosses - 1 }),
    ),
  },
  {
    what: 'a failure is counted as a loss',
    rule: 'LOSSES_COUNTED',
    apply: changeOne('jobs', all, (job) => ({ ...job, workerLosses: job.workerLosses + 1 })),
  },
  {
    what: 'an attempt is lost where nothing was done',
    rule: 'LOSSES_EXPLAINED',
    apply: (history: History): History | undefined =>
      history.faults.length === 0 ? undefined : { ...history, faults: [] },
  },
  {
    what: 'a job runs again later than promised',
    rule: 'REASSIGNED_IN_TIME',
    apply: changeOne('faults', all, (fault) => ({ ...fault, reassignedWithinMs: 1 })),
  },
  {
    what: 'a key stays in Redis',
    rule: 'NOTHING_LEFT',
    apply: (history: History): History | undefined => ({ ...history, left: ['1 jobs in running'] }),
  },
];
