import { ManualClock } from '@orchestrator/testing';

import type { AuditEntry } from './audit-entry.js';
import { Refusals, TOLD_ONE_BY_ONE, WINDOW_MS } from './refusals.js';

const refusal = (from: string): AuditEntry => ({
  atMs: 0,
  action: 'access.check',
  who: undefined,
  from,
  targets: [],
  outcome: 'refused',
  status: 401,
});

describe('Refusals', () => {
  let clock: ManualClock;
  let told: AuditEntry[];
  let refusals: Refusals;
  beforeEach(() => {
    clock = new ManualClock();
    told = [];
    refusals = new Refusals({ audit: { record: (entry) => void told.push(entry) }, clock });
  });

  it('makes six lines a minute of ten thousand from one address, and does not hide another', () => {
    for (let i = 0; i < 10_000; i += 1) {
      refusals.record(refusal('10.0.0.1'));
    }
    refusals.record(refusal('10.0.0.2'));
    expect(told).toHaveLength(TOLD_ONE_BY_ONE + 1);
    clock.advance(WINDOW_MS);

    expect(told).toHaveLength(TOLD_ONE_BY_ONE + 2);
    expect(told.at(-1)).toMatchObject({ from: '10.0.0.1', detail: expect.stringMatching(/^9995 more were refused/) });
    expect(clock.pendingTimers).toBe(0);
  });

  it('hides nothing that is refused to a token behind the noise of its address, or of many', () => {
    const ofToken = { ...refusal('10.0.0.1'), who: 'ci', action: 'job.cancel', targets: ['a'] } as const;
    for (let i = 0; i < 5_000; i += 1) {
      refusals.record(refusal(`10.0.${i >> 8}.${i & 255}`));
      refusals.record(refusal('10.0.0.1'));
    }
    told = [];
    refusals.record(ofToken);
    expect(told).toEqual([ofToken]);
    for (let i = 1; i < TOLD_ONE_BY_ONE + 3; i += 1) {
      refusals.record({ ...ofToken, from: '10.0.0.2' });
    }
    refusals.tell();

    expect(told.filter(({ who }) => who === 'ci').at(-1)).toMatchObject({
      from: '10.0.0.2',
      detail: expect.stringMatching(/^3 more/),
    });
  });

  it('begins anew after a minute', () => {
    refusals.record(refusal('10.0.0.1'));
    clock.advance(WINDOW_MS);
    refusals.record(refusal('10.0.0.1'));

    expect(told).toHaveLength(2);
  });

  it('counts addresses beyond a thousand as one', () => {
    for (let i = 0; i < 5_000; i += 1) {
      refusals.record(refusal(`10.0.${i >> 8}.${i & 255}`));
    }
    refusals.tell();

    expect(told).toHaveLength(1_000 + TOLD_ONE_BY_ONE + 1);
    expect(told.at(-1)).toMatchObject({ from: 'many addresses', detail: expect.stringMatching(/^3995 more/) });
  });
});
