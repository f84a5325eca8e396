import type { PoolGlance } from '@orchestrator/queue';
import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { SAFETY_POLL_MS, SafetyPoll } from './safety-poll.js';

const GLANCE: PoolGlance = { queued: 3, nextDueInMs: undefined };

function setup(glance: (pool: string) => Promise<PoolGlance>) {
  const clock = new ManualClock();
  const seen: PoolGlance[] = [];
  let looks = 0;
  const poll = new SafetyPoll('p', {
    store: { glance },
    clock,
    random: { next: () => 0, hex: () => '' },
    logger: silentLogger,
    onLook: () => (looks += 1),
    onSeen: (one) => seen.push(one),
  });
  /** A look, and time for its answer. */
  const pass = async (ms = SAFETY_POLL_MS): Promise<void> => {
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { poll, clock, seen, pass, looks: () => looks };
}

describe('SafetyPoll', () => {
  it('looks each second while it is started, and tells what it sees', async () => {
    const { poll, clock, seen, pass, looks } = setup(async () => GLANCE);
    poll.start();
    poll.start();

    await pass(SAFETY_POLL_MS - 1);
    expect(seen).toEqual([]);
    await pass(1);
    await pass();
    expect(seen).toEqual([GLANCE, GLANCE]);

    poll.stop();
    await pass();
    expect([seen.length, looks(), clock.pendingTimers]).toEqual([2, 2, 0]);
  });

  it('goes on when a look fails', async () => {
    let fails = true;
    const { poll, seen, pass } = setup(async () => {
      if (fails) {
        throw new Error('away');
      }
      return GLANCE;
    });
    poll.start();

    await pass();
    fails = false;
    await pass();

    expect(seen).toEqual([GLANCE]);
    poll.stop();
  });

  it('has one look under way, and tells nothing of one that is answered after it was stopped', async () => {
    const answers: ((glance: PoolGlance) => void)[] = [];
    const { poll, seen, pass, looks } = setup(() => new Promise((resolve) => answers.push(resolve)));
    poll.start();

    await pass();
    await pass();
    expect([answers.length, looks()]).toEqual([1, 2]);
    poll.stop();
    answers[0]?.(GLANCE);
    await pass();

    expect(seen).toEqual([]);
  });
});
