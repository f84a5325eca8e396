import * as fc from 'fast-check';

import { readCommandLines } from '../command-lines.js';
import { checkHistory } from './check-history.js';
import { mutations } from './testing/mutations.js';
import { type AttemptPlan, type JobPlan, rightHistory } from './testing/right-history.js';
import { describe as inWords } from './violation.js';

const attempt = <O extends AttemptPlan['outcome']>(...outcomes: O[]): fc.Arbitrary<AttemptPlan & { outcome: O }> =>
  fc.record({
    outcome: fc.constantFrom(...outcomes),
    ticks: fc.nat(4),
    worker: fc.integer({ min: 1, max: 3 }),
    pauseMs: fc.nat(500),
  });

const job: fc.Arbitrary<JobPlan> = fc.record({
  earlier: fc.array(attempt('failed', 'lost', 'returned'), { maxLength: 4 }),
  last: attempt('succeeded', 'failed'),
});

const plans = fc.array(job, { minLength: 1, maxLength: 6 });

/** One job that was lost, handed back, failed, and then succeeded; one that failed for good. */
const EXAMPLE: JobPlan[] = [
  {
    earlier: [
      { outcome: 'lost', ticks: 2, worker: 1, pauseMs: 0 },
      { outcome: 'returned', ticks: 1, worker: 2, pauseMs: 0 },
      { outcome: 'failed', ticks: 0, worker: 2, pauseMs: 0 },
    ],
    last: { outcome: 'succeeded', ticks: 3, worker: 3, pauseMs: 0 },
  },
  { earlier: [], last: { outcome: 'failed', ticks: 1, worker: 1, pauseMs: 0 } },
];

describe('the checker of histories', () => {
  it('finds nothing in a history in which every promise was kept', () => {
    fc.assert(fc.property(plans, (all) => expect(checkHistory(rightHistory(all))).toEqual([])));
  });

  it.each(mutations)('names job, attempt and rule when $what', ({ rule, apply }) => {
    const wrong = apply(rightHistory(EXAMPLE), () => 0);
    const found = checkHistory(wrong ?? rightHistory(EXAMPLE)).filter((violation) => violation.rule === rule);

    const [first = { rule, message: 'nothing was found' }] = found;
    const ofRun = rule === 'NOTHING_LEFT';
    const ofJob = ['NO_LOSS', 'ONE_JOB', 'EXPECTED_END', 'LOSSES_COUNTED'].includes(rule);
    const where = ofRun ? '' : ofJob ? ' job default:\\w+' : ' job default:\\w+ attempt \\d';
    expect(inWords(first)).toMatch(new RegExp(`^${rule}:${where} `));
  });

  it.each(mutations)('finds it in any history: $what', ({ rule, apply }) => {
    fc.assert(
      fc.property(plans, fc.nat(), (all, dice) => {
        const wrong = apply(rightHistory(all), (n) => dice % n);
        fc.pre(wrong !== undefined);
        expect(checkHistory(wrong ?? rightHistory(all)).map((violation) => violation.rule)).toContain(rule);
      }),
    );
  });

  it('allows what a host wrote as it woke, and only for so long', () => {
    const right = rightHistory(EXAMPLE);
    const second = right.lines.find((line) => line.attempt === 2);
    const first = right.lines.find((line) => line.attempt === 1);
    if (second === undefined || first === undefined) {
      throw new Error('the example has two attempts');
    }
    const woke = {
      atMs: second.atMs + 5_000,
      what: 'its host resumes',
      target: 'worker-1',
      mayLose: [],
      mayOverlapMs: 1_000,
    };
    const writes = (afterMs: number): string[] =>
      checkHistory({
        ...right,
        faults: [...right.faults, woke],
        lines: [...right.lines, { ...first, kind: 'tick', atMs: woke.atMs + afterMs }],
      }).map(({ rule }) => rule);

    expect(writes(900)).toEqual([]);
    expect(writes(1_100)).toContain('NO_OVERLAP');
    expect(writes(-100)).toContain('NO_OVERLAP');
  });

  it('reads what commands write, and refuses a line that it does not understand', () => {
    expect(
      readCommandLines(
        'start default:A 1 1790000000000 4711 worker-1 123.45 \nend default:A 1 1790000000000 4711 worker-1 124.00 7\n',
      ),
    ).toEqual([
      {
        kind: 'start',
        job: 'default:A',
        attempt: 1,
        fence: 1_790_000_000_000,
        pid: 4711,
        worker: 'worker-1',
        atMs: 123_450,
      },
      {
        kind: 'end',
        job: 'default:A',
        attempt: 1,
        fence: 1_790_000_000_000,
        pid: 4711,
        worker: 'worker-1',
        atMs: 124_000,
        code: 7,
      },
    ]);
    expect(() => readCommandLines('start default:A 1 \n')).toThrow('not a line of a recorded command');
  });
});
