import { CreditAccount } from './credit-account.js';

describe('CreditAccount', () => {
  it('offers what was granted and is neither assigned nor reserved', () => {
    const credit = new CreditAccount();
    credit.grant(5, 0);

    credit.reserve(2);
    expect(credit.available()).toEqual({ max: 3, free: 3 });
    credit.use(2, 1);

    expect(credit.available()).toEqual({ max: 4, free: 4 });
  });

  it('fills free slots before it prefetches', () => {
    const credit = new CreditAccount();
    credit.grant(6, 4);

    expect(credit.available()).toEqual({ max: 6, free: 2 });
    credit.reserve(3);

    expect(credit.available()).toEqual({ max: 3, free: 0 });
  });

  it('counts nothing in flight twice, because totals are stated', () => {
    const credit = new CreditAccount();
    credit.grant(1, 0);
    credit.reserve(1);
    credit.grant(1, 0);

    expect(credit.available().max).toBe(0);
  });

  it('ignores a total that is lower than one before', () => {
    const credit = new CreditAccount();
    credit.grant(4, 0);

    credit.grant(2, 2);

    expect(credit.available()).toEqual({ max: 4, free: 4 });
  });
});
