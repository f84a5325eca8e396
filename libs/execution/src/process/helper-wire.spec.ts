import { decodeReplies, encodeRequest, type HelperReply, suitsHelpers } from './helper-wire.js';

function record(letter: string, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.write(letter);
  header.writeUInt32BE(body.length, 1);
  return Buffer.concat([header, body]);
}

const attempt = { attemptId: 'a.0', env: {}, timeoutMs: 0, killGraceMs: 0, maxOutputBytes: 1 };

describe('what helpers answer', () => {
  const exited = Buffer.concat([Buffer.from([0x03, 0x00, 0b011, 0, 0, 0, 2]), Buffer.from('oute')]);
  const all = Buffer.concat([
    record('S', Buffer.from([0, 0, 1, 2, 0, 0, 0, 5, 0, 0, 0, 6])),
    record('X', exited),
    record('X', Buffer.from([0, 9, 0, 0, 0, 0, 0])),
  ]);

  it('is read however it is cut', () => {
    for (let cut = 0; cut <= all.length; cut += 1) {
      const first = decodeReplies(all.subarray(0, cut));
      const second = decodeReplies(Buffer.concat([first.rest, all.subarray(cut)]));

      expect(second.rest).toHaveLength(0);
      expect([...first.replies, ...second.replies]).toEqual<HelperReply[]>([
        { kind: 'started', pid: 258, stdout: 5, stderr: 6 },
        {
          kind: 'exited',
          exit: {
            code: 3,
            signal: null,
            groupLives: true,
            stdout: { data: Buffer.from('ou'), open: true },
            stderr: { data: Buffer.from('te'), open: false },
          },
        },
        {
          kind: 'exited',
          exit: {
            code: null,
            signal: 9,
            groupLives: false,
            stdout: { data: Buffer.alloc(0), open: false },
            stderr: { data: Buffer.alloc(0), open: false },
          },
        },
      ]);
    }
  });

  it('is refused when it is nothing that a helper says', () => {
    expect(() => decodeReplies(record('?', Buffer.alloc(0)))).toThrow(RangeError);
  });
});

describe('what helpers are asked', () => {
  it('is length and fields in bytes', () => {
    const request = encodeRequest({
      attempt: { ...attempt, argv: ['é', ''], env: { A: '1\n' } },
      mark: 'm',
      cwd: '/',
      stdin: '/dev/null',
      cgroup: undefined,
    });

    expect(request.readUInt32BE(0)).toBe(request.length - 4);
    const fields = request.subarray(4).toString().split('\0');
    expect(fields).toEqual(['', '/', '/dev/null', '2', 'é', '', 'A=1\n', 'ORCHESTRATOR_MARK=m']);
  });

  it.each([
    ['an ordinary command', { command: 'true' }, true],
    ['no program', { argv: [] }, false],
    ['a NUL byte in an argument', { argv: ['a', 'b\0c'] }, false],
    ['a NUL byte in a variable', { command: 'true', env: { A: '\0' } }, false],
    ['a name that no shell would take', { command: 'true', env: { 'A=B': '1' } }, false],
    ['much to hand over', { command: 'x'.repeat(32 * 1024 + 1) }, false],
  ])('suits helpers or does not: %s', (_what, more, suits) => {
    expect(suitsHelpers({ ...attempt, ...more }, '/')).toBe(suits);
  });
});
