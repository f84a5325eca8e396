import { ManualClock } from '@orchestrator/testing';

import { type Beat, HeartbeatSender, type HeartbeatTrouble, isLagging } from './sender.js';

const INTERVAL_MS = 3_000;

function setup() {
  const clock = new ManualClock();
  const sent: Beat[] = [];
  const confirmed: number[] = [];
  const troubles: HeartbeatTrouble[] = [];
  const boot = { aheadMs: 100_000 };
  const sender = new HeartbeatSender({
    intervalMs: INTERVAL_MS,
    clock,
    boottimeMs: () => clock.monotonicMs() + boot.aheadMs,
    send: (beat) => sent.push(beat),
    onConfirmed: (sentAtMs) => confirmed.push(sentAtMs),
    onTrouble: (trouble) => troubles.push(trouble),
  });
  return { clock, boot, sender, sent, confirmed, troubles };
}

describe('HeartbeatSender', () => {
  it('sends the first at once and one each interval, saying what was acknowledged', async () => {
    const { clock, sender, sent } = setup();

    await sender.start();
    await sender.start();
    sender.acknowledge(1);
    clock.advance(INTERVAL_MS);
    clock.advance(INTERVAL_MS);

    expect(sent).toEqual([
      { sequence: 1, acknowledged: 0 },
      { sequence: 2, acknowledged: 1 },
      { sequence: 3, acknowledged: 1 },
    ]);
  });

  it('confirms the lease from the time at which the acknowledged one was sent', async () => {
    const { clock, sender, confirmed } = setup();
    await sender.start();
    clock.advance(INTERVAL_MS);
    clock.advance(1_000);

    sender.acknowledge(1);
    sender.acknowledge(2);

    expect(confirmed).toEqual([100_000, 100_000 + INTERVAL_MS]);
    expect(sender.acknowledged).toBe(2);
  });

  it('lets one acknowledgement cover all before it, and ignores what is old or was never sent', async () => {
    const { clock, sender, confirmed } = setup();
    await sender.start();
    clock.advance(INTERVAL_MS);

    sender.acknowledge(2);
    sender.acknowledge(1);
    sender.acknowledge(2);
    sender.acknowledge(9);

    expect(confirmed).toEqual([100_000 + INTERVAL_MS]);
    expect(sender.acknowledged).toBe(2);
  });

  it('reports two intervals without an acknowledgement, once', async () => {
    const { clock, sender, troubles } = setup();
    await sender.start();
    clock.advance(INTERVAL_MS);
    sender.acknowledge(1);

    clock.advance(2 * INTERVAL_MS - 1);
    expect(troubles).toEqual([]);
    clock.advance(1);
    expect(troubles).toEqual(['silent']);
    clock.advance(20 * INTERVAL_MS);
    expect(troubles).toEqual(['silent']);
  });

  it('reports acknowledgements that lag by three', async () => {
    const { clock, sender, sent, troubles } = setup();
    await sender.start();
    clock.advance(INTERVAL_MS);
    clock.advance(INTERVAL_MS - 1);
    sender.acknowledge(1);
    clock.advance(1);
    clock.advance(INTERVAL_MS);
    expect(troubles).toEqual([]);
    // Old heartbeats are acknowledged late, again and again: never silent for two intervals, yet ever further behind.
    clock.advance(INTERVAL_MS - 2);
    sender.acknowledge(2);
    clock.advance(2);
    clock.advance(INTERVAL_MS);

    expect(sent.at(-1)).toEqual({ sequence: 6, acknowledged: 2 });
    expect(troubles).toEqual(['lagging']);
  });

  it('reads what came in first when it was itself stopped', async () => {
    const { clock, sender, troubles } = setup();
    await sender.start();

    clock.jump(20_000);
    clock.advance(0);
    expect(troubles).not.toContain('silent');
    sender.acknowledge(1);
    clock.advance(INTERVAL_MS);
    expect(troubles).toEqual([]);
  });

  it('is quiet after it was stopped', async () => {
    const { clock, sender, sent, confirmed, troubles } = setup();
    await sender.start();

    await sender.stop();
    sender.acknowledge(1);
    clock.advance(60_000);

    expect(sent).toHaveLength(1);
    expect(confirmed).toEqual([]);
    expect(troubles).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('isLagging', () => {
  it('is a lag of three', () => {
    expect(isLagging(3, 1)).toBe(false);
    expect(isLagging(4, 1)).toBe(true);
  });
});
