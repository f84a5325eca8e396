import { type WedgeSample, WedgeWatch, WEDGED_BEATS } from './wedge-watch.js';

const BUSY: WedgeSample = {
  slots: 4,
  freeSlots: 0,
  draining: false,
  isWanted: true,
  granted: 4,
  unused: 0,
  prefetch: 0,
  overdue: 0,
};
const IDLE = { ...BUSY, freeSlots: 4 };

function fed(...samples: WedgeSample[]): { watch: WedgeWatch; said: (string | undefined)[] } {
  const watch = new WedgeWatch();
  return { watch, said: samples.map((sample) => watch.beat(sample)) };
}
const times = (count: number, sample: WedgeSample): WedgeSample[] => Array.from({ length: count }, () => sample);

describe('WedgeWatch (rule 5: beats but takes no work)', () => {
  it('names, once, a worker with free slots that grants no credit while jobs wait', () => {
    const { watch, said } = fed(BUSY, ...times(WEDGED_BEATS + 2, IDLE));

    expect(said).toEqual([
      undefined,
      undefined,
      undefined,
      '4 of 4 slots are free, jobs wait, and it has granted no credit for 3 heartbeats',
      undefined,
      undefined,
    ]);
    expect(watch.isWedged).toBe(true);
  });

  it.each<[string, WedgeSample[]]>([
    ['has no free slot', times(9, BUSY)],
    ['is draining', times(9, { ...IDLE, draining: true })],
    ['has granted credit that nobody has used', times(9, { ...IDLE, unused: 1 })],
    ['has nobody who wants it', times(9, { ...IDLE, isWanted: false })],
    [
      'is so quick that each heartbeat finds it free',
      times(9, IDLE).map((sample, i) => ({ ...sample, granted: i + 5 })),
    ],
    ['grants too late, but grants', [...times(2, IDLE), { ...IDLE, granted: 5 }, ...times(2, { ...IDLE, granted: 5 })]],
    ['runs all that it was given long ago', times(9, { ...BUSY, overdue: 4 })],
    ['has what it fetched ahead besides', times(9, { ...BUSY, prefetch: 4, overdue: 8 })],
  ])('is silent about one that %s', (_what, samples) => {
    const { watch, said } = fed(BUSY, ...samples);

    expect(said.filter((text) => text !== undefined)).toEqual([]);
    expect(watch.isWedged).toBe(false);
  });

  it('names one that does not run what it was given', () => {
    const { watch, said } = fed(BUSY, { ...BUSY, freeSlots: 3, unused: 3, overdue: 2 });

    expect(said[1]).toBe('2 attempts were assigned 3 heartbeats ago or earlier, and it runs 1');
    expect(watch.isWedged).toBe(true);
  });

  it('holds across a Welcome and while nobody wants it, until it grants credit', () => {
    const { watch } = fed(BUSY, ...times(WEDGED_BEATS, IDLE));

    watch.restart();
    expect(watch.beat({ ...IDLE, granted: 0, isWanted: false })).toBeUndefined();
    expect(watch.isWedged).toBe(true);

    watch.beat({ ...IDLE, granted: 4, unused: 4 });
    expect(watch.isWedged).toBe(false);
  });

  it('takes one for healthy that was asked again and runs what it has', () => {
    const { watch } = fed({ ...BUSY, freeSlots: 4, unused: 4, overdue: 1 });

    watch.restart();
    watch.beat({ ...IDLE, unused: 4 });

    expect(watch.isWedged).toBe(false);
  });
});
