import { ManualClock } from '@orchestrator/testing';

import { HandlerQueue } from './handler-queue.js';
import { CELLS, SharedCells } from './shared-cells.js';
import type { QueuedHandler } from './handler-wire.js';

describe('SharedCells', () => {
  it('lets exactly one of start and recall win', () => {
    const main = new SharedCells();
    const thread = new SharedCells(main.buffer);
    const [a, b] = [main.take()!, main.take()!];

    expect([thread.start(a), main.recall(a), main.hasStarted(a)]).toEqual([true, false, true]);
    expect([main.recall(b), thread.start(b), main.hasStarted(b)]).toEqual([true, false, false]);
  });

  it('is bounded, and gives what was released again', () => {
    const cells = new SharedCells();
    for (let i = 0; i < CELLS; i += 1) {
      expect(cells.take()).toBe(i);
    }

    expect(cells.take()).toBeUndefined();
    cells.release(7);
    expect(cells.take()).toBe(7);
  });
});

describe('HandlerQueue', () => {
  const setup = () => {
    const clock = new ManualClock();
    const main = new SharedCells();
    const started: string[] = [];
    const dropped: number[] = [];
    const queue = new HandlerQueue({
      cells: new SharedCells(main.buffer),
      clock,
      uptimeMs: () => clock.monotonicMs(),
      start: ({ attemptId }) => {
        started.push(attemptId);
        return attemptId !== 'over';
      },
      dropped: (cell) => dropped.push(cell),
    });
    const add = (attemptId: string): number => {
      const cell = main.take()!;
      queue.add({ attemptId, cell } as QueuedHandler);
      return cell;
    };
    return { clock, main, queue, started, dropped, add };
  };

  it('starts in order, as many as it has slots, and the next one when one has ended', () => {
    const { queue, started, add } = setup();
    queue.setSlots(2);
    ['a', 'b', 'c', 'd'].forEach(add);

    queue.pump();
    const first = [...started];
    queue.ended();

    expect(first).toEqual(['a', 'b']);
    expect(started).toEqual(['a', 'b', 'c']);
  });

  it('starts the next one at once when one is over as soon as it was started', () => {
    const { queue, started, add } = setup();
    queue.setSlots(1);
    ['over', 'over', 'a', 'b'].forEach(add);

    queue.pump();

    expect(started).toEqual(['over', 'over', 'a']);
  });

  it('drops what was taken back', () => {
    const { main, queue, started, dropped, add } = setup();
    const [a] = ['a', 'b'].map(add);
    main.recall(a!);

    queue.pump();

    expect(started).toEqual(['b']);
    expect(dropped).toEqual([a]);
  });

  it('starts nothing without a lease, and all of it when there is one again', () => {
    const { clock, main, queue, started, add } = setup();
    main.leaseUntilMs = clock.monotonicMs();
    add('a');

    queue.pump();
    const without = [...started];
    main.leaseUntilMs = clock.monotonicMs() + 1;
    queue.pump();

    expect(without).toEqual([]);
    expect(started).toEqual(['a']);
  });

  it('looks at the lease again after each turn: a process that was stopped wakes in the middle of its queue', async () => {
    const { clock, main, queue, started, add } = setup();
    queue.setSlots(1);
    ['a', 'b'].forEach(add);
    main.leaseUntilMs = clock.monotonicMs() + 12_000;
    queue.pump();

    clock.advance(20_000);
    queue.ended();
    await new Promise((resolve) => setImmediate(resolve));

    expect(started).toEqual(['a']);
  });
});
