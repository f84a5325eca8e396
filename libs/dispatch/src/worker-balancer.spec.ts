import { excessWorkers } from './worker-balancer.js';

describe('excessWorkers', () => {
  it.each([
    [0, [], 0],
    [5, [], 0],
    [3, [0], 1],
    [2, [1], 0],
    [1, [0], 0],
    [2, [0], 1],
    [10, [10, 10], 0],
    [11, [10, 9], 0],
    [11, [10], 0],
    [100, [0], 5],
    [60, [40], 1],
    [55, [45], 0],
    [56, [44], 1],
    [0, [100], 0],
  ])('of %p workers here and %p elsewhere moves %p', (own, others, moved) => {
    expect(excessWorkers(own, others)).toBe(moved);
  });

  it('ends from any loads within a tenth of the fair share, and then nothing moves', () => {
    const loads = [97, 3, 0, 20];
    for (let round = 0; round < 200; round += 1) {
      loads.forEach((load, index) => {
        const moved = excessWorkers(
          load,
          loads.filter((_, other) => other !== index),
        );
        loads[index] = load - moved;
        for (let i = 0; i < moved; i += 1) {
          const next = (index + 1 + ((round + i) % 3)) % 4;
          loads[next] = (loads[next] ?? 0) + 1;
        }
      });
    }

    expect(Math.max(...loads)).toBeLessThanOrEqual(33);
    expect(
      loads.map((load, index) =>
        excessWorkers(
          load,
          loads.filter((_, other) => other !== index),
        ),
      ),
    ).toEqual([0, 0, 0, 0]);
  });
});
