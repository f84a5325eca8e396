import { isSuspect } from './suspect.js';

describe('isSuspect', () => {
  it('names what lives and was not renewed for more than two intervals', () => {
    expect(isSuspect({ state: 'alive', lastRenewedAt: 1_000 }, 7_000)).toBe(false);
    expect(isSuspect({ state: 'alive', lastRenewedAt: 1_000 }, 7_001)).toBe(true);
    expect(isSuspect({ state: 'superseded', lastRenewedAt: 1_000 }, 1_301, 150)).toBe(true);
    expect(isSuspect({ state: 'dead', lastRenewedAt: 1_000 }, 70_000)).toBe(false);
  });
});
