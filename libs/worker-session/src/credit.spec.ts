import { CreditLedger } from './credit.js';

describe('CreditLedger', () => {
  const idle = { freeSlots: 2, waiting: 0, prefetch: 0 };

  it('grants nothing while no epoch is current', () => {
    const ledger = new CreditLedger();

    expect(ledger.next(idle)).toBeUndefined();
  });

  it('says the same only once', () => {
    const ledger = new CreditLedger();
    ledger.open(7);

    expect(ledger.next(idle)).toEqual({ epoch: 7, granted: 2, prefetch: 0 });
    expect(ledger.next(idle)).toBeUndefined();
  });

  it('counts from zero after each Welcome', () => {
    const ledger = new CreditLedger();
    ledger.open(7);
    ledger.received(5);

    ledger.open(8);

    expect(ledger.next(idle)).toEqual({ epoch: 8, granted: 2, prefetch: 0 });
  });

  it('never falls, and says how much of what is out lies beyond the free slots', () => {
    const ledger = new CreditLedger();
    ledger.open(7);
    ledger.next({ ...idle, prefetch: 4 });

    expect(ledger.next({ freeSlots: 1, waiting: 0, prefetch: 0 })).toEqual({ epoch: 7, granted: 6, prefetch: 5 });
  });
});
