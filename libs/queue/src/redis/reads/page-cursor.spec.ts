import { InvalidCursorError } from '../../errors.js';
import { formatCursor, parseCursor } from './page-cursor.js';

describe('page cursor', () => {
  it('comes back as it was made', () => {
    const position = { ms: 1_700_000_000_000, sequence: 3, pool: 'gpu.large', index: 249 };

    expect(parseCursor(formatCursor(position))).toEqual(position);
  });

  it.each([
    ['nothing', ''],
    ['no base64url', '***'],
    ['another text', Buffer.from('hello').toString('base64url')],
    ['another version', Buffer.from('2 1 0 default 0').toString('base64url')],
    ['a pool that cannot be', Buffer.from('1 1 0 {x} 0').toString('base64url')],
    ['a number that is none', Buffer.from('1 x 0 default 0').toString('base64url')],
    ['a number written otherwise', Buffer.from('1 01 0 default 0').toString('base64url')],
    ['an addition', `${formatCursor({ ms: 1, sequence: 0, pool: 'default', index: 0 })}!`],
    ['padding', `${formatCursor({ ms: 1, sequence: 0, pool: 'default', index: 0 })}==`],
  ])('refuses %s', (_, cursor) => {
    expect(() => parseCursor(cursor)).toThrow(InvalidCursorError);
  });
});
