import { AHEAD_MS, MAX_AHEAD, ServiceTime } from './service-time.js';

describe('ServiceTime', () => {
  /** So many attempts, one after the other in each slot. */
  const after = (slots: number, durationMs: number, ends: number): ServiceTime => {
    const time = new ServiceTime(slots);
    for (let end = 1; end <= ends; end += 1) {
      time.add(durationMs, (Math.ceil(end / slots) * durationMs * slots) / slots, true);
    }
    return time;
  };

  it('fetches nothing ahead before anything was measured', () => {
    expect(new ServiceTime(2).prefetch).toBe(0);
  });

  it.each([
    [2, 5, 8],
    [1, 10, 2],
    [8, 4, 40],
    [2, 0.01, MAX_AHEAD],
    [2, AHEAD_MS, 0],
    [16, 3_600_000, 0],
  ])('fetches ahead what %d slots do in 20 ms, at %d ms each: %d', (slots, durationMs, prefetch) => {
    const measured = after(slots, durationMs, 400).prefetch;

    expect(Math.abs(measured - prefetch)).toBeLessThanOrEqual(Math.ceil(prefetch / 8));
  });

  it('does not take idleness for work', () => {
    const time = new ServiceTime(1);
    time.add(1, 1, false);

    time.add(1, 60_000, false);

    expect(time.prefetch).toBe(20);
  });

  it('fetches less as soon as work becomes long', () => {
    const time = after(2, 0.1, 400);

    time.add(1_000, 1_000, true);

    expect(time.prefetch).toBe(0);
  });

  it('fetches ahead in full as soon as work is short again, however long it was before', () => {
    const time = after(2, 60_000, 400);

    for (let end = 1; end <= 80; end += 1) {
      time.add(0.1, 12_000_000 + end * 0.05, true);
    }

    expect(time.prefetch).toBeGreaterThan(200);
  });

  it('does not take the pace within a burst for that of all, when work has just become short again', () => {
    const time = new ServiceTime(2);
    const burst = (atMs: number, durationMs: number): void => {
      time.add(durationMs, atMs, true);
      time.add(durationMs, atMs + 0.02, true);
    };
    [8, 16, 24].forEach((atMs) => burst(atMs, 8));
    time.add(150, 174, true);

    const most = [182, 190, 198, 206, 214, 222, 230, 238].map((atMs) => {
      burst(atMs, 8);
      return time.prefetch;
    });

    expect(Math.max(...most)).toBeGreaterThan(0);
    expect(Math.max(...most)).toBeLessThan(10);
  });

  it('fetches nothing after something long stood in front, until a dozen have been short again', () => {
    const time = after(2, 0.1, 400);

    time.stalled();
    const stalled = time.prefetch;
    for (let end = 1; end <= 15; end += 1) {
      time.add(0.1, end, true);
    }

    expect(stalled).toBe(0);
    expect(time.prefetch).toBeGreaterThan(0);
  });
});
