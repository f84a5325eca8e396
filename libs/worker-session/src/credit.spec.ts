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

  it('never falls', () => {
    const ledger = new CreditLedger();
    ledger.open(7);
    ledger.next({ ...idle, prefetch: 4 });

    expect(ledger.next({ freeSlots: 1, waiting: 0, prefetch: 0 })).toBeUndefined();
    ledger.received(6);
    expect(ledger.next({ freeSlots: 1, waiting: 0, prefetch: 0 })).toEqual({ epoch: 7, granted: 7, prefetch: 0 });
  });

  it('tops up what lies beyond the free slots in quarters', () => {
    const ledger = new CreditLedger();
    ledger.open(7);
    const busy = { freeSlots: 0, waiting: 0, prefetch: 100 };
    expect(ledger.next(busy)).toEqual({ epoch: 7, granted: 100, prefetch: 100 });

    ledger.received(25);
    expect(ledger.next(busy)).toBeUndefined();

    ledger.received(1);
    expect(ledger.next(busy)).toEqual({ epoch: 7, granted: 126, prefetch: 100 });
  });

  it('grants a free slot at once', () => {
    const ledger = new CreditLedger();
    ledger.open(7);
    ledger.next({ freeSlots: 1, waiting: 0, prefetch: 100 });
    ledger.received(1);
    expect(ledger.next({ freeSlots: 0, waiting: 0, prefetch: 100 })).toBeUndefined();

    expect(ledger.next({ freeSlots: 1, waiting: 0, prefetch: 100 })).toEqual({ epoch: 7, granted: 102, prefetch: 100 });
  });

  it('says when slots are free that were said to be busy, though nothing is granted', () => {
    const ledger = new CreditLedger();
    ledger.open(7);
    ledger.next({ freeSlots: 0, waiting: 0, prefetch: 100 });

    expect(ledger.next({ freeSlots: 2, waiting: 0, prefetch: 98 })).toEqual({ epoch: 7, granted: 100, prefetch: 98 });
  });
});
