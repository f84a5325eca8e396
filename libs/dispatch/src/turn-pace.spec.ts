import { ManualClock } from '@orchestrator/testing';

import { TURNS_PER_SECOND, TurnPace } from './turn-pace.js';

const idle = (): boolean => true;
const saturated = (): boolean => false;

describe('TurnPace', () => {
  let clock: ManualClock;
  let pace: TurnPace;
  let turns: number;

  /** As a loop that always has something to do. */
  async function turn(isIdle: () => boolean): Promise<void> {
    await pace.wait(isIdle);
    turns += 1;
  }

  /** Uses up what rest has earned. */
  async function burst(): Promise<void> {
    for (let i = 0; i < 10; i += 1) {
      await turn(saturated);
    }
  }

  beforeEach(() => {
    clock = new ManualClock();
    pace = new TurnPace(clock);
    turns = 0;
  });

  it('lets the first turns after some rest begin at once', async () => {
    await burst();

    expect(turns).toBe(10);
  });

  it('lets the next one wait while everybody has work', async () => {
    await burst();
    const next = turn(saturated);
    await Promise.resolve();
    expect(turns).toBe(10);

    clock.advance(1_000 / TURNS_PER_SECOND);
    await next;

    expect(turns).toBe(11);
  });

  it('lets nobody wait whose slot stands empty', async () => {
    await burst();

    await turn(idle);

    expect(turns).toBe(11);
  });

  it('goes on at once when somebody asks for it, before or while it waits', async () => {
    await burst();
    pace.hurry();
    await turn(saturated);
    expect(turns).toBe(11);

    const next = turn(saturated);
    pace.hurry();
    await next;

    expect(turns).toBe(12);
  });

  it('holds up nobody who wants to stop', async () => {
    await burst();
    const next = turn(saturated);

    pace.stop();

    await next;
    expect(turns).toBe(11);
  });
});
