import { ManualClock } from '@orchestrator/testing';

import { BusyReport } from './busy-report.js';

describe('BusyReport', () => {
  const setup = () => {
    const clock = new ManualClock();
    const told: boolean[] = [];
    return { clock, told, report: new BusyReport(clock, (busy) => told.push(busy)) };
  };

  it('tells the first at once and nothing of gaps between batches', () => {
    const { clock, told, report } = setup();

    for (let i = 0; i < 10; i += 1) {
      report.note(true);
      report.note(false);
      clock.advance(10);
      report.note(true);
    }

    expect(told).toEqual([true]);
  });

  it('tells the end of the last one when no other follows', () => {
    const { clock, told, report } = setup();
    report.note(true);
    report.note(false);
    const before = [...told];

    clock.advance(1_000);

    expect([before, told]).toEqual([[true], [true, false]]);
  });

  it('tells at once what is waited for', () => {
    const { clock, told, report } = setup();
    report.note(true);
    report.note(false);

    report.noteNow(false);
    clock.advance(1_000);

    expect(told).toEqual([true, false]);
  });
});
