import { parseMark, toMark, toMarkPrefix } from './mark.js';

const owner = { workerId: 'worker-1', session: 'a1', process: { pid: 12, startTime: '345' } };

describe('mark', () => {
  it('names worker, session, process and attempt, and is read back', () => {
    const mark = toMark(owner, '0f.3');

    expect(mark).toBe('worker-1/a1/12-345/0f.3');
    expect(parseMark(mark)).toEqual({ ...owner, holder: '0f.3' });
  });

  it('has a prefix that no other process shares', () => {
    expect(toMarkPrefix(owner)).toBe('worker-1/a1/12-345/');
    expect(toMark({ ...owner, process: { pid: 12, startTime: '3456' } }, 'x').startsWith(toMarkPrefix(owner))).toBe(
      false,
    );
  });

  it.each(['', 'worker-1', 'worker-1/a1/12/x', 'worker-1/a1/x-1/y'])('does not read %j as one', (text) => {
    expect(parseMark(text)).toBeUndefined();
  });
});
