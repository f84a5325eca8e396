import { ReplyError } from 'ioredis';

import {
  InvalidCursorError,
  SchemaMismatchError,
  StaleCallError,
  StaleEpochError,
  StoreFullError,
  StoreUnavailableError,
} from '../errors.js';
import { toCallFailure } from './call-errors.js';

const reply = (message: string): Error => new (ReplyError as unknown as new (message: string) => Error)(message);

describe('toCallFailure', () => {
  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", StoreFullError],
    ['STALE_OP call 1 arrives after call 2 of the same client', StaleCallError],
    ['STALE_EPOCH epoch 1 is below that of the gate', StaleEpochError],
    ['SCHEMA this pool has schema version 3, the caller knows 2', SchemaMismatchError],
    ['NOAUTH Authentication required.', StoreUnavailableError],
  ])('makes an error of its own of "%s"', (message, expected) => {
    const failure = toCallFailure('enqueue in pool "p"', reply(message));

    expect(failure.kind).toBe('final');
    expect(failure.error).toBeInstanceOf(expected);
    expect((failure.error as Error).message).toContain('enqueue in pool "p"');
  });

  it.each(['LOADING Redis is loading the dataset in memory', 'READONLY You can not write', 'BUSY Redis is busy'])(
    'knows that nothing was done after "%s"',
    (message) => {
      expect(toCallFailure('x', reply(message)).kind).toBe('not_executed');
    },
  );

  it('knows what was not sent', () => {
    const error = new Error("Stream isn't writeable and enableOfflineQueue options is false");

    expect(toCallFailure('x', error).kind).toBe('not_executed');
  });

  it.each(['Command timed out', 'Connection is closed.', 'read ECONNRESET'])('cannot tell after "%s"', (message) => {
    expect(toCallFailure('x', new Error(message)).kind).toBe('unknown');
  });

  it.each([
    new TypeError('x is not a function'),
    new InvalidCursorError('cursor "x": expected one of ours'),
    reply('ERR user_script:12: attempt to index a nil value'),
  ])('passes on what asking again would only hide: %s', (error) => {
    expect(toCallFailure('x', error)).toEqual({ kind: 'final', error });
  });
});
