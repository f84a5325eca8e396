import { CorruptRecordError } from '../../errors.js';
import { parseJob } from './job-record.js';

const ADDRESS = { pool: 'default', ulid: '01JD0000000000000000000000' };
const OUTPUT = { stdoutBytes: 0, stderrBytes: 0, truncated: false };
const QUEUED = { state: 'queued', spec: '{"name":"a","command":"true"}', rule: '', created: '1000', queued: '1000' };
const RAN = { starts: '2', fence: '9007199254740991', worker: 'w', session: 's', attempt: 'c.0', started: '2000' };
const FIRST = `1\t5\tw1\t1100\t1200\tlost\t{"reason":"no heartbeat for 15 s"}`;

describe('parseJob', () => {
  it('reads a job that has not run', () => {
    expect(parseJob(ADDRESS, QUEUED, [])).toEqual({
      id: 'default:01JD0000000000000000000000',
      pool: 'default',
      spec: { name: 'a', command: 'true' },
      rule: {},
      state: 'queued',
      createdAt: 1_000,
      queuedAt: 1_000,
      startedAt: null,
      finishedAt: null,
      cancelRequestedAt: null,
      dueAt: null,
      scheduledFor: null,
      worker: null,
      session: null,
      attemptId: null,
      fence: 0,
      starts: 0,
      failures: 0,
      workerLosses: 0,
      end: null,
      history: [],
    });
  });

  it('composes the current attempt behind the earlier ones', () => {
    const { history } = parseJob(ADDRESS, { ...QUEUED, ...RAN, state: 'running' }, [FIRST]);

    expect(history).toEqual([
      {
        number: 1,
        fence: 5,
        worker: 'w1',
        startedAt: 1_100,
        finishedAt: 1_200,
        outcome: 'lost',
        exitCode: null,
        signal: null,
        reason: 'no heartbeat for 15 s',
      },
      {
        number: 2,
        fence: 9_007_199_254_740_991,
        worker: 'w',
        startedAt: 2_000,
        finishedAt: null,
        outcome: null,
        exitCode: null,
        signal: null,
        reason: null,
      },
    ]);
  });

  it('takes the outcome of the final attempt from the state, the rest from how it ended', () => {
    const failure = { reason: 'exit_code', message: 'exit code 3' };
    const end = JSON.stringify({ exitCode: 3, signal: null, failure, output: OUTPUT });
    const job = parseJob(ADDRESS, { ...QUEUED, ...RAN, state: 'failed', finished: '3000', end }, [FIRST]);

    expect(job.finishedAt).toBe(3_000);
    expect(job.end?.failure).toEqual(failure);
    expect(job.history.at(-1)).toMatchObject({
      number: 2,
      finishedAt: 3_000,
      outcome: 'failed',
      exitCode: 3,
      reason: 'exit_code',
    });
  });

  it('does not repeat an attempt that the history has already', () => {
    const second = FIRST.replace('1', '2');

    expect(
      parseJob(ADDRESS, { ...QUEUED, ...RAN, state: 'failed', finished: '3' }, [FIRST, second]).history,
    ).toHaveLength(2);
    expect(parseJob(ADDRESS, { ...QUEUED, ...RAN }, [FIRST, second]).history).toHaveLength(2);
  });

  it('keeps to the last attempts', () => {
    const entries = Array.from({ length: 20 }, (_, i) => FIRST.replace('1', String(i + 1)));
    const { history } = parseJob(ADDRESS, { ...QUEUED, ...RAN, starts: '21', state: 'running' }, entries);

    expect(history.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, i) => i + 2));
  });

  it('shows a wait after a loss as any wait before another attempt', () => {
    const scheduled = { ...QUEUED, state: 'scheduled', due: '5000' };

    expect(parseJob(ADDRESS, { ...scheduled, why: 'delay' }, [])).toMatchObject({
      dueAt: 5_000,
      scheduledFor: 'delay',
    });
    expect(parseJob(ADDRESS, { ...scheduled, why: 'backoff' }, []).scheduledFor).toBe('backoff');
    expect(parseJob(ADDRESS, { ...scheduled, why: 'loss' }, []).scheduledFor).toBe('backoff');
    expect(parseJob(ADDRESS, { ...QUEUED, due: '5000', why: 'delay' }, [])).toMatchObject({
      dueAt: null,
      scheduledFor: null,
    });
  });

  it.each([
    ['an unknown state', { ...QUEUED, state: 'resting' }, []],
    ['no state', { spec: '{}', created: '1' }, []],
    ['a spec that is no JSON', { ...QUEUED, spec: '{' }, []],
    ['a spec that is no object', { ...QUEUED, spec: '7' }, []],
    ['no spec', { ...QUEUED, spec: '' }, []],
    ['no time of creation', { ...QUEUED, created: '' }, []],
    ['a number that is none', { ...QUEUED, starts: '1e3' }, []],
    ['a history entry of too few fields', QUEUED, ['1\t2']],
    ['a history entry of an unknown outcome', QUEUED, [FIRST.replace('lost', 'won')]],
    ['a history entry with a bad number', QUEUED, [FIRST.replace('1100', 'x')]],
  ])('names the job and the field: %s', (_, hash: Record<string, string>, history: string[]) => {
    const read = (): unknown => parseJob(ADDRESS, hash, history);

    expect(read).toThrow(CorruptRecordError);
    expect(read).toThrow(/^job default:01JD0000000000000000000000 has the /);
  });
});
