import type { ClaimedJob } from '@orchestrator/queue';

import type { Assignee, Offer } from './assignee.js';
import { FREE_AT_LEAST, WorkerPicker } from './worker-picker.js';

/** Keeps what was reserved; `offers` by name, the rest have no credit. */
function workers(offers: Record<string, { free: number; max: number } | undefined>) {
  const reserved: Record<string, number> = {};
  const assignees = Object.entries(offers).map(([session, share]) => ({
    session,
    offer: (): Offer | undefined => share && { ...share, epoch: 7 },
    reserve: (_pool: string, jobs: number) => (reserved[session] = jobs),
  }));
  return { among: new Set(assignees as unknown as Assignee[]), reserved };
}

const many = (count: number, share: { free: number; max: number }) =>
  workers(Object.fromEntries(Array.from({ length: count }, (_, index) => [`w${index}`, share])));
const oneJob = [{}] as ClaimedJob[];

describe('WorkerPicker', () => {
  it('names all of a few workers, with what they may prefetch', () => {
    const { among, reserved } = workers({ a: { free: 2, max: 50 }, b: undefined, c: { free: 0, max: 40 } });

    const { taken, isAll } = new WorkerPicker('p').pick(among, 0);

    expect(isAll).toBe(true);
    expect(taken.map(({ assignee, offer }) => [assignee.session, offer])).toEqual([
      ['a', { free: 2, max: 50, epoch: 7 }],
      ['c', { free: 0, max: 40, epoch: 7 }],
    ]);
    expect(reserved).toEqual({ a: 50, c: 40 });
  });

  it('of many idle ones names as many as have slots for what is known to wait, and prefetches nothing', () => {
    const { among, reserved } = many(1_000, { free: 2, max: 4 });
    const picker = new WorkerPicker('p');

    const few = picker.pick(among, 1);
    expect(few.isAll).toBe(false);
    expect(few.taken.map(({ offer }) => [offer.free, offer.max])).toEqual(Array(FREE_AT_LEAST / 2).fill([2, 2]));
    expect(Object.values(reserved)).toEqual(Array(FREE_AT_LEAST / 2).fill(2));

    expect(picker.pick(among, 100).taken).toHaveLength(50);
    expect(picker.pick(among, 100_000).taken).toHaveLength(250);
  });

  it('leaves out busy ones when free slots suffice: they would only prefetch', () => {
    const idle = Array.from({ length: 20 }, (_, index) => [`idle-${index}`, { free: 1, max: 2 }]);
    const { among, reserved } = workers({ busy: { free: 0, max: 9 }, ...Object.fromEntries(idle) });

    const { taken } = new WorkerPicker('p').pick(among, 0);

    expect(taken).toHaveLength(FREE_AT_LEAST);
    expect(reserved).not.toHaveProperty('busy');
  });

  it('goes on where it has stopped, so that all are named in turn', () => {
    const { among } = many(24, { free: 4, max: 4 });
    const picker = new WorkerPicker('p');

    const named = Array.from({ length: 6 }, () => picker.pick(among, 0).taken.map(({ assignee }) => assignee.session));

    expect(new Set(named.flat()).size).toBe(24);
  });

  it('begins with another one each time where it names all', () => {
    const { among } = many(3, { free: 1, max: 1 });
    const picker = new WorkerPicker('p');

    const firsts = Array.from({ length: 4 }, () => picker.pick(among, 0).taken[0]?.assignee.session);

    expect(firsts).toEqual(['w0', 'w1', 'w2', 'w0']);
  });

  it('names all when those that were named got nothing though something waits, and then believes it', () => {
    const { among } = many(100, { free: 2, max: 4 });
    const picker = new WorkerPicker('p');

    const few = picker.pick(among, 0);
    expect(picker.answered(few, { queued: 3, jobs: [] })).toBe(true);
    const all = picker.pick(among, 3);

    expect(all).toMatchObject({ isAll: true, taken: { length: 100 } });
    expect(picker.answered(all, { queued: 3, jobs: [] })).toBe(false);
    expect(picker.pick(among, 3).isAll).toBe(false);
  });

  it('is worth more as long as something is given and something is left', () => {
    const { among } = many(100, { free: 2, max: 4 });
    const picker = new WorkerPicker('p');
    const few = picker.pick(among, 0);

    expect(picker.answered(few, { queued: 1, jobs: oneJob })).toBe(true);
    expect(picker.answered(few, { queued: 0, jobs: oneJob })).toBe(false);
    expect(picker.answered(few, { queued: 0, jobs: [] })).toBe(false);
  });

  it('names all when it was told to, once', () => {
    const { among } = many(100, { free: 2, max: 4 });
    const picker = new WorkerPicker('p');
    picker.nameAll();

    const first = picker.pick(among, 0);
    picker.answered(first, { queued: 0, jobs: [] });

    expect(first.isAll).toBe(true);
    expect(picker.pick(among, 0).isAll).toBe(false);
  });
});
