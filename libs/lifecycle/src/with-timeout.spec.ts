import { ManualClock } from '@orchestrator/testing';

import { createDeferred } from './deferred.js';
import { TimeoutError, withTimeout } from './with-timeout.js';

describe('withTimeout', () => {
  it('settles as the promise does and leaves no timer', async () => {
    const clock = new ManualClock();

    expect(await withTimeout(clock, 100, 'asking', Promise.resolve(7))).toBe(7);
    await expect(withTimeout(clock, 100, 'asking', Promise.reject(new Error('no')))).rejects.toThrow('no');

    await Promise.resolve();
    expect(clock.pendingTimers).toBe(0);
  });

  it('rejects at the limit and swallows the late failure', async () => {
    const clock = new ManualClock();
    const late = createDeferred();
    const waiting = withTimeout(clock, 100, 'asking', late.promise);

    clock.advance(100);
    late.reject(new Error('late'));

    await expect(waiting).rejects.toBeInstanceOf(TimeoutError);
    await expect(waiting).rejects.toThrow('asking took longer than its limit of 100 ms');
  });
});
