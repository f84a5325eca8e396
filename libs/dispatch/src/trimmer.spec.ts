import type { TrimReply } from '@orchestrator/queue';
import { silentLogger } from '@orchestrator/telemetry';
import { ManualClock } from '@orchestrator/testing';

import { createTrimmer, TRIM_RUN_LIMIT_MS } from './trimmer.js';

const LIMITS = { maxFinished: 10, maxOutputBytes: 10 };

/** Pools with so many steps of work in them. */
function setup(work: Record<string, number>, onStep: (pool: string) => void = () => undefined) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const trimmer = createTrimmer({
    store: {
      pools: async () => Object.keys(work),
      trim: async (pool): Promise<TrimReply> => {
        asked.push(pool);
        onStep(pool);
        const left = (work[pool] = Math.max(0, (work[pool] ?? 0) - 1));
        return { jobs: 250, outputs: 0, more: left > 0, emptiedBatches: [] };
      },
    },
    clock,
    random: { next: () => 0, hex: () => '' },
    logger: silentLogger,
    limits: LIMITS,
  });
  return { clock, trimmer, asked, work };
}

describe('createTrimmer', () => {
  it('goes on until no pool has more than it may keep, however much that is', async () => {
    const { trimmer, asked, work } = setup({ busy: 1_000, quiet: 1 });

    await trimmer.runOnce();

    expect(work).toEqual({ busy: 0, quiet: 0 });
    expect(asked).toHaveLength(1_001);
  });

  it('lets pools take turns', async () => {
    const { trimmer, asked } = setup({ first: 100, second: 2 });

    await trimmer.runOnce();

    expect(asked.indexOf('second')).toBe(40);
    expect(asked.filter((pool) => pool === 'second')).toHaveLength(2);
  });

  it('ends after a while where work comes as fast as it goes, to see which pools there are now', async () => {
    const { trimmer, clock, asked } = setup({ busy: Number.POSITIVE_INFINITY }, () => clock.advance(100));

    await trimmer.runOnce();

    expect(asked.length).toBeGreaterThanOrEqual(TRIM_RUN_LIMIT_MS / 100);
    expect(asked.length).toBeLessThan(TRIM_RUN_LIMIT_MS / 100 + 40);
  });
});
