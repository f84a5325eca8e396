import { DEFAULT_TIMINGS, requireSafeTimings } from './timings.js';

describe('requireSafeTimings', () => {
  it('accepts the defaults', () => {
    expect(() => requireSafeTimings(DEFAULT_TIMINGS)).not.toThrow();
  });

  it.each([
    [{ timeoutMs: 14_999 }, /heartbeat.timeout is 14999 ms: expected at least heartbeat.lease \+ 3000 ms \(15000 ms/],
    [{ leaseMs: 12_001 }, /heartbeat.timeout is 15000 ms/],
    [{ intervalMs: 4_001 }, /heartbeat.lease is 12000 ms: expected at least 3 times heartbeat.interval \(12003 ms\)/],
    [{ intervalMs: 0 }, /heartbeat.interval is 0 ms: expected more than 0 ms/],
    [{ timeoutMs: Number.NaN }, /heartbeat.timeout is NaN ms/],
  ])('refuses %j with key, value and rule', (over, message) => {
    expect(() => requireSafeTimings({ ...DEFAULT_TIMINGS, ...over })).toThrow(message);
  });
});
