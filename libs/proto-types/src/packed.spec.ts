import {
  FinishedAttempt,
  isPlainEnd,
  Outcome,
  packAssignments,
  packEnds,
  packIds,
  unpackAssignments,
  unpackEnds,
  unpackIds,
} from './index.js';

const attempt = { jobId: 'default:01JD0000000000000000000000', attemptId: 'c1a1.0', fence: 9_007_199_254_740_991 };

describe('packed assignments', () => {
  it('are the same when they are unpacked, whatever the spec says', () => {
    const specs = ['{"name":"a b","data":"\u2028 ü \\n {} | "}', '{}', '{"name":"x","command":"echo 1  2"}'];
    const sent = specs.map((specJson, i) => ({
      attempt: { ...attempt, attemptId: `c.${i}` },
      specJson,
      number: i + 1,
    }));

    expect(unpackAssignments(packAssignments(sent))).toEqual(sent.map((one) => ({ ...one, traceparent: '' })));
    expect(unpackAssignments(packAssignments([]))).toEqual([]);
  });

  it('stand on a line each, also where somebody wrote the spec over several', () => {
    const odd = { attempt, specJson: '{\n"name":\n"a"}', number: 1 };

    const [first, second, ...rest] = unpackAssignments(packAssignments([odd, { ...odd, specJson: '{}' }]));

    expect(JSON.parse(first?.specJson ?? '')).toEqual({ name: 'a' });
    expect([second?.specJson, rest]).toEqual(['{}', []]);
  });
});

describe('packed ends', () => {
  const plain = (over: Partial<FinishedAttempt> = {}): FinishedAttempt =>
    FinishedAttempt.fromPartial({
      attempt,
      number: 2,
      outcome: Outcome.SUCCEEDED,
      startedAt: 5,
      durationMs: 1,
      ...over,
    });

  it('are the same when they are unpacked, with a result or without, of a command or a handler', () => {
    const ends = [
      plain(),
      plain({ exitCode: 0 }),
      plain({ resultJson: '{"a b":"\\n ü"}' }),
      plain({ resultJson: 'null' }),
    ];

    expect(unpackEnds(packEnds(ends))).toEqual(
      ends.map(({ exitCode, resultJson }) => ({ attempt, number: 2, exitCode, resultJson })),
    );
  });

  it.each<[string, Partial<FinishedAttempt>]>([
    ['failed', { outcome: Outcome.FAILED }],
    ['has another exit code', { exitCode: 1 }],
    ['ended by a signal', { signal: 'SIGKILL' }],
    ['has output', { stdoutBytes: 1 }],
    ['has lost output', { truncated: true }],
    ['was frozen', { wasFrozen: true }],
    ['names no attempt', { attempt: undefined }],
  ])('are not for one that %s', (_, over) => {
    expect([isPlainEnd(plain()), isPlainEnd(plain(over))]).toEqual([true, false]);
  });

  it('name nothing where a line makes no sense, and go on with the next one', () => {
    const ends = unpackEnds(`nonsense\n\n${packEnds([plain()])}a b c d e f`);

    expect(ends.map((end) => end.attempt.jobId)).toEqual(['', '', attempt.jobId]);
    expect(Number.isNaN(ends[0]?.attempt.fence)).toBe(true);
  });
});

it('packed ids are the same when they are unpacked', () => {
  expect(unpackIds(packIds([attempt, { ...attempt, attemptId: 'c1a1.1' }]))).toEqual(['c1a1.0', 'c1a1.1']);
  expect(unpackIds(packIds([]))).toEqual([]);
});
