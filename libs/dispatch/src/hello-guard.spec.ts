import { Hello } from '@orchestrator/proto-types';
import { ManualClock } from '@orchestrator/testing';

import { HELLO_LIMITS, HELLO_WITHIN_MS, HelloGuard } from './hello-guard.js';

const hello = (over: Partial<Hello> = {}): Hello =>
  Hello.fromPartial({ workerId: 'worker-1', session: 's', pools: ['default'], ...over });

let clock: ManualClock;
let late: number;
let guard: HelloGuard;
beforeEach(() => {
  clock = new ManualClock();
  late = 0;
  guard = new HelloGuard(clock, () => (late += 1));
});

describe('the Hellos of a stream', () => {
  it('begin in time, or it is ended', () => {
    clock.advance(HELLO_WITHIN_MS);

    expect(late).toBe(1);
  });

  it('are awaited no longer when one has come, or the stream has ended', () => {
    const other = new HelloGuard(clock, () => (late += 1));

    expect(guard.refuse(hello())).toBeUndefined();
    other.close();
    clock.advance(HELLO_WITHIN_MS);

    expect(late).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('may be many at once, as after a loss of Redis, but not without end', () => {
    for (let number = 0; number < HELLO_LIMITS.burst; number += 1) {
      expect(guard.refuse(hello())).toBeUndefined();
    }

    expect(guard.refuse(hello())).toMatchObject({ code: 'FLOODING' });
    clock.advance(1_000);
    expect(guard.refuse(hello())).toBeUndefined();
  });

  it('are of one worker', () => {
    guard.refuse(hello());

    expect(guard.refuse(hello({ session: 'its next one' }))).toBeUndefined();
    expect(guard.refuse(hello({ workerId: 'worker-2' }))).toMatchObject({ code: 'PROTOCOL' });
  });

  it('name no more pools together than one of them may', () => {
    const named = (count: number, prefix: string): Hello =>
      hello({ pools: Array.from({ length: count }, (_, index) => `${prefix}-${index}`) });

    expect(guard.refuse(named(60, 'a'))).toBeUndefined();
    expect(guard.refuse(named(60, 'a'))).toBeUndefined();
    expect(guard.refuse(named(60, 'b'))).toEqual({
      code: 'PROTOCOL',
      detail: 'it has named 120 pools: expected at most 100',
    });
  });
});
