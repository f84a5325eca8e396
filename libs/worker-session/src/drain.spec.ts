import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { Drain } from './drain.js';

describe('Drain', () => {
  const setup = (timeoutMs = 30_000) => {
    const clock = new ManualClock();
    const target = { isBusy: true, isEmpty: false, drains: 0, handedBack: 0 };
    let done = 0;
    const drain = new Drain({
      target: () => ({
        ...target,
        drain: () => (target.drains += 1),
        handBack: () => (target.handedBack += 1),
      }),
      timeoutMs,
      recordLimitMs: 10_000,
      clock,
      logger: silentLogger,
      onDone: () => (done += 1),
    });
    return { clock, target, drain, isDone: () => done };
  };

  it('is done at once when nothing is held', () => {
    const { target, drain, isDone, clock } = setup();
    Object.assign(target, { isBusy: false, isEmpty: true });

    drain.begin(true);

    expect(isDone()).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('waits for what runs and for its record', () => {
    const { target, drain, isDone } = setup();
    drain.begin(true);
    Object.assign(target, { isBusy: false });
    drain.check();
    const beforeRecord = isDone();

    Object.assign(target, { isEmpty: true });
    drain.check();

    expect([beforeRecord, isDone()]).toEqual([0, 1]);
  });

  it('hands back what runs after its limit', () => {
    const { target, drain, clock } = setup();
    drain.begin(true);

    clock.advance(30_000);

    expect(target.handedBack).toBe(1);
  });

  it('hands nothing back when the limit is 0', () => {
    const { target, drain, clock } = setup(0);
    drain.begin(true);

    clock.advance(3_600_000);

    expect(target.handedBack).toBe(0);
  });

  it('over REST has no limit until a signal sets one', () => {
    const { target, drain, clock } = setup();
    drain.begin(false);
    clock.advance(3_600_000);
    const before = target.handedBack;

    drain.begin(true);
    clock.advance(30_000);

    expect([before, target.handedBack, target.drains]).toEqual([0, 1, 1]);
  });

  it('does not wait for ever for a record that nobody gives', () => {
    const { target, drain, isDone, clock } = setup();
    drain.begin(true);
    Object.assign(target, { isBusy: false });
    drain.check();

    clock.advance(10_000);

    expect(isDone()).toBe(1);
  });
});
