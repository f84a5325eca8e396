import { type Clock, systemClock } from '@orchestrator/core';

import { type Survivors, SurvivorWatch } from './survivors.js';

let nowMs = 0;
const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };

describe('SurvivorWatch', () => {
  it('names what does not die, with its state, every ten seconds', () => {
    const said: Survivors[] = [];
    const watch = new SurvivorWatch(clock, (survivors) => said.push(survivors));
    watch.note([process.pid]);

    for (let second = 0; second < 25; second += 1) {
      nowMs += 1_000;
      watch.note([process.pid]);
    }

    expect(said.map(({ sinceMs }) => sinceMs)).toEqual([10_000, 20_000]);
    expect(said[0]).toMatchObject({ count: 1, processes: [expect.stringMatching(`^${process.pid} \\([RS]\\)$`)] });
    expect(watch.areStubborn).toBe(true);
  });

  it('counts anew once everything was dead', () => {
    const said: Survivors[] = [];
    const watch = new SurvivorWatch(clock, (survivors) => said.push(survivors));
    watch.note([1]);
    nowMs += 9_000;
    watch.note([]);
    watch.note([1]);
    nowMs += 9_000;
    watch.note([1]);

    expect(said).toEqual([]);
  });
});
