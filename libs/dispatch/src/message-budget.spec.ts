import { ManualClock } from '@orchestrator/testing';

import { MessageBudget } from './message-budget.js';

describe('MessageBudget', () => {
  it('lets a burst through, then so many a second, and no more', () => {
    const clock = new ManualClock();
    const budget = new MessageBudget(clock, { perSecond: 100, burst: 50 });
    const taken = (tries: number): number => Array.from({ length: tries }, () => budget.take()).filter(Boolean).length;

    expect(taken(60)).toBe(50);
    clock.advance(100);
    expect(taken(20)).toBe(10);
    clock.advance(3_600_000);
    expect(taken(60)).toBe(50);
  });
});
