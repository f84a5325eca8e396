import type { FromThread, ToThread } from './handler-wire.js';
import { pack, unpack } from './posted.js';

const settled: FromThread = {
  kind: 'settled',
  attemptId: 'a.0',
  outcome: { ok: true, resultJson: '{"ü":[1]}' },
  aborted: false,
  startedAtWallMs: 1_700_000_000_000.5,
  durationMs: 0.25,
  counts: { stdoutBytes: 0, stderrBytes: 0, truncated: false },
  output: [],
};

describe('what threads post to one another', () => {
  it('is one string where there are no bytes in it, and the same afterwards', () => {
    const messages: FromThread[] = [settled, { kind: 'dropped', cell: 7 }];

    const posted = pack(messages);

    expect(typeof posted).toBe('string');
    expect(unpack(posted)).toEqual(messages);
  });

  it('keeps what a job carries', () => {
    const data = { text: '\u2028 "quoted" \u0000', deep: [[null, 1e21, -0.5]], empty: {} };
    const job = {
      id: 'default:1',
      name: 'n',
      data,
      attempt: 1,
      fence: 9_007_199_254_740_991,
      workerId: 'w',
      labels: {},
    };
    const attempt = { attemptId: 'a.0', handler: 'h', job, timeoutMs: 0, killGraceMs: 1, maxOutputBytes: 1 };
    const messages: ToThread[] = [{ kind: 'run', attempt, cell: 0 }];

    expect(unpack(pack(messages))).toEqual(messages);
  });

  it('stays a list where bytes are in it', () => {
    const chunk = { attemptId: 'a.0', stream: 'stdout' as const, offset: 0, sequence: 1, data: Buffer.from([0, 255]) };

    expect(pack<FromThread>([{ ...settled, output: [chunk] }])).toEqual([{ ...settled, output: [chunk] }]);
    expect(pack<FromThread>([{ kind: 'output', chunk }])).toEqual([{ kind: 'output', chunk }]);
  });
});
