import { MAX_TIMER_MS, sleep, systemClock } from './clock.js';
import { fullJitterMs, systemRandom } from './random.js';

describe('sleep', () => {
  it('ends at once when the signal aborts and leaves no listener', async () => {
    const controller = new AbortController();
    const sleeping = sleep(systemClock, MAX_TIMER_MS, controller.signal);

    controller.abort();

    await expect(sleeping).resolves.toBeUndefined();
  });

  it('does not start under an aborted signal', async () => {
    await expect(sleep(systemClock, MAX_TIMER_MS, AbortSignal.abort())).resolves.toBeUndefined();
  });
});

describe('systemClock.setTimer', () => {
  it('does not fire at once for a delay that Node cannot hold', async () => {
    const fired = jest.fn();

    const timer = systemClock.setTimer(2 ** 40, fired);
    await sleep(systemClock, 5);
    timer.cancel();

    expect(fired).not.toHaveBeenCalled();
  });
});

describe('fullJitterMs', () => {
  it('stays within its bounds and reaches both', () => {
    const of = (next: number): number => fullJitterMs({ ...systemRandom, next: () => next }, 10);

    expect(of(0)).toBe(0);
    expect(of(0.999_999)).toBe(10);
  });
});
