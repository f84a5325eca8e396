import { sharedNowMs } from './now.js';

describe('sharedNowMs', () => {
  it('is the clock of the machine, closer than what is measured with it', () => {
    const before = Number(process.hrtime.bigint()) / 1e6;
    const now = sharedNowMs();
    const after = Number(process.hrtime.bigint()) / 1e6;

    expect(now).toBeGreaterThan(before - 0.02);
    expect(now).toBeLessThan(after + 0.02);
  });
});
